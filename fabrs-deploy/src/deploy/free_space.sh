# Removes releases, the oldest first, until a new release fits.
# $1: the directory of the releases; $2: the necessary KiB; $3: the necessary inodes; the other
# arguments: the releases, the oldest first
set -eu
export LC_ALL=C
cd "$1"
kib=$2 inodes=$3
shift 3
fits() {
    df -Pk . | awk -v necessary="$kib" 'NR == 2 { exit !($(NF-2) >= necessary) }' &&
        df -Pi . 2> /dev/null | awk -v necessary="$inodes" 'NR == 2 && $(NF-4) > 0 { exit !($(NF-2) >= necessary) }'
}
for release; do
    ! fits || exit 0
    mv -- "$release" ".gone-$release"
    rm -rf .gone-*
    echo "removed release $release"
done
