# Unpacks the manifests from stdin into a temporary directory. puppet_apply.sh follows.
#
# Arguments: those of puppet_apply.sh. The temporary directory replaces DIRECTORY.
umask 077
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
# dash runs the trap of EXIT after a signal only if the signal has a trap.
trap 'exit 129' HUP INT TERM
# The exit status 2 of tar would mean changes without an error.
tar -x -f - -C "$temporary" || exit 1
shift
set -- "$temporary" "$@"
