# Prints the paths of the complete snapshots.
# $1: the directory; $2: the beginning of the names
for file in "$1/$2"-??????????????.dump; do
    if [ -f "$file" ] && [ -f "$file.rows" ]; then
        printf '%s\n' "$file"
    fi
done
