# Applies manifests with Puppet.
#
# Arguments: DIRECTORY MANIFEST MODE ENVIRONMENT. MODE is `apply` or `noop`. The manifests read the
# ENVIRONMENT as the fact `fabrs_environment`.
directory=$1 manifest=$2 mode=$3
FACTER_fabrs_environment=$4
export FACTER_fabrs_environment
# The packages of Puppet's own repository install into /opt.
PATH=$PATH:/opt/puppetlabs/bin
if ! command -v puppet > /dev/null; then
    echo 'puppet is not installed' >&2
    exit 127
fi
# The exit status 2 of cd would mean changes without an error.
cd "$directory" || exit 1
set -- --detailed-exitcodes --color=false --modulepath="$directory/modules"
[ ! -e hiera.yaml ] || set -- "$@" --hiera_config="$directory/hiera.yaml"
[ "$mode" = apply ] || set -- "$@" --noop
puppet apply "$@" -- "$directory/$manifest"
