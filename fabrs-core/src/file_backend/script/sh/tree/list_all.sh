# Prints the metadata of the directory and of all paths below. Fails for an unreadable directory.
{ s=$({ { printf './\0'; find . ! -name . -print0; echo $? >&3; } | state >&4; } 3>&1); } 4>&1
[ "$s" = 0 ] || exit 1
