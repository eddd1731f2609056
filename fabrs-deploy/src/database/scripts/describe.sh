# Prints the number of bytes and the SHA-256 of a snapshot, and the rows of each table.
# $1: the file
set -eu
wc -c < "$1"
sha256sum < "$1"
cat "$1.rows"
