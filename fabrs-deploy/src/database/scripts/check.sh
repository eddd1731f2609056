# Connects to the database.
connect
check
