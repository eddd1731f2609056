# Unpacks the manifests from stdin into a temporary directory. puppet_apply.sh follows.
#
# Arguments: as puppet_apply.sh, with an unused DIRECTORY.
umask 077
temporary=$(mktemp -d) || exit
trap 'rm -rf "$temporary"' EXIT
tar -x -f - -C "$temporary" || exit
shift
set -- "$temporary" "$@"
