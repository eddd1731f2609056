# Prints the paths of the complete snapshots.
# $1: the directory; $2: the prefix of the names
for file in "$1/$2"-??????????????.dump; do
    if [ -f "$file" ]; then
        printf '%s\n' "$file"
    fi
done
