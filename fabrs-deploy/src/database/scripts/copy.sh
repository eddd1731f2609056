# Replaces the content of the database with a snapshot from another host. The standard input is a tar
# archive with mask.sql, dump.rows and dump. Prints a token after the restore.
# $1: the SHA-256 of the dump; $2: the token
sum=$1 token=$2 snapshot=$work/dump
tar -x -f - -C "$work"
lock_directory
actual=$(sha256sum < "$work/dump")
[ "${actual%% *}" = "$sum" ] || fail "the received snapshot is incomplete or damaged: wrong SHA-256"
connect
check_snapshot "$snapshot"
restore
