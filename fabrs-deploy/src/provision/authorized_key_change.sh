# Adds a line to ~/.ssh/authorized_keys of the current user, in place of lines with the same key.
#
# Arguments: KEY LINE.
set -e
home=$(getent passwd "$(id -un)" | cut -d : -f 6)
umask 077
mkdir -p "$home/.ssh"
chmod 700 "$home/.ssh"
file=$home/.ssh/authorized_keys
[ ! -L "$file" ] || file=$(readlink -f "$file")
temporary=$(mktemp "$file.XXXXXX")
trap 'rm -f "$temporary"' EXIT
# grep exits with 1 if it prints no line.
[ ! -e "$file" ] || grep -vF -e " $1" "$file" > "$temporary" || [ $? = 1 ]
printf '%s\n' "$2" >> "$temporary"
mv -f "$temporary" "$file"
