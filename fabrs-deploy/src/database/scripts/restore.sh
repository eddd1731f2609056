# Replaces the content of the database with a snapshot. The standard input is SQL that runs on the
# restored data before other programs can read it. Prints a token after the restore.
# $1: the file of the snapshot; $2: the token
snapshot=$1 token=$2
case $snapshot in /*) ;; *) snapshot=$PWD/$snapshot ;; esac
cat > "$work/mask.sql"
lock_directory
connect
check_snapshot "$snapshot"
restore
