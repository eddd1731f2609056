# Prints `missing` if ~/.ssh/authorized_keys of a user has no such line.
#
# Arguments: USER LINE.
home=$(getent passwd "$1" | cut -d : -f 6)
grep -qxF -e "$2" "$home/.ssh/authorized_keys" 2> /dev/null || echo missing
