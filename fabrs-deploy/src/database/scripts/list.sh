# Prints the paths of the complete snapshots.
# $1: the snapshot directory; $2: the prefix of the names
set -eu
for file in "$1/$2"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9].dump; do
    if [ -f "$file" ]; then
        printf '%s\n' "$file"
    fi
done
