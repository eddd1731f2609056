# Prints the path of the first existing environment file, and its lines that set a variable.
# $1: the variable; the other arguments: files
set -eu
variable=$1
shift
tried=$*
for file; do
    if [ -e "$file" ]; then
        readlink -f -- "$file"
        sed -n "/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}${variable}[[:space:]]*=/p" "$file"
        exit 0
    fi
done
echo "no environment file found: tried $tried" >&2
exit 1
