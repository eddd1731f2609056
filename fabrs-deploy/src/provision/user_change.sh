# Creates or changes a user.
#
# Arguments: NAME KIND HOME SHELL GROUP... An empty HOME or SHELL keeps the current or default
# value.
set -e
name=$1 kind=$2 home=$3 shell=$4
shift 4
groups=$(IFS=,; printf '%s' "$*")
set --
if getent passwd "$name" > /dev/null; then
    [ -z "$home" ] || set -- "$@" --home "$home"
    [ -z "$shell" ] || set -- "$@" --shell "$shell"
    [ -z "$groups" ] || set -- "$@" --append --groups "$groups"
    [ $# = 0 ] || usermod "$@" -- "$name"
else
    [ -z "$home" ] || set -- "$@" --home-dir "$home"
    [ -z "$shell" ] || set -- "$@" --shell "$shell"
    [ -z "$groups" ] || set -- "$@" --groups "$groups"
    [ "$kind" = login ] || set -- "$@" --system
    # useradd rejects a user whose group exists already, unless this group is named.
    ! getent group "$name" > /dev/null || set -- "$@" --gid "$name"
    useradd --create-home "$@" -- "$name"
fi
# An interrupted useradd leaves a user without a home directory.
if [ -n "$home" ] || [ "$kind" = login ]; then
    directory=$(getent passwd "$name" | cut -d : -f 6)
    [ -d "$directory" ] || install -d -m 0755 -o "$name" -g "$(id -gn "$name")" -- "$directory"
fi
