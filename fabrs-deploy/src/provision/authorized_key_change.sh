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
temporary=$(mktemp -p "$(dirname "$file")")
trap 'rm -f "$temporary"' EXIT
# dash runs the trap of EXIT after a signal only if the signal has a trap.
trap 'exit 129' HUP INT TERM
[ ! -e "$file" ] || awk -v key="$1" '{ for (i = 1; i <= NF; i++) if ($i == key) next; print }' "$file" > "$temporary"
printf '%s\n' "$2" >> "$temporary"
mv -f "$temporary" "$file"
