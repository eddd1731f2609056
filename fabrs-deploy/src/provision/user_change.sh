# Creates or changes a user.
#
# Arguments: NAME KIND HOME SHELL GROUP... An empty HOME or SHELL keeps the current or default value.
name=$1 kind=$2 home=$3 shell=$4
shift 4
groups=$(IFS=,; printf '%s' "$*")
set --
[ -z "$home" ] || set -- "$@" --home-dir "$home"
[ -z "$shell" ] || set -- "$@" --shell "$shell"
if getent passwd "$name" > /dev/null; then
    # usermod has other option names than useradd.
    [ -z "$home" ] || set -- --home "$home" ${shell:+--shell "$shell"}
    [ -z "$groups" ] || set -- "$@" --append --groups "$groups"
    exec usermod "$@" -- "$name"
fi
[ -z "$groups" ] || set -- "$@" --groups "$groups"
[ "$kind" = login ] || set -- "$@" --system
# useradd rejects a user whose group exists already, unless this group is named.
! getent group "$name" > /dev/null || set -- "$@" --gid "$name"
exec useradd --create-home "$@" -- "$name"
