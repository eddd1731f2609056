# Prints facts about a host before a deploy, one a line.
# $1: the root of the site; $2: the live release, or nothing; the other arguments: requirements
set -eu
export LC_ALL=C
case $1 in "~/"*) root=$HOME/${1#"~/"} ;; *) root=$1 ;; esac
live=$2
shift 2
echo "time $(date +%s)"
path=$root
while [ ! -d "$path" ]; do
    case $path in
        */?*) path=${path%/*} ;;
        *) path=. ;;
    esac
    [ -n "$path" ] || path=/
done
[ -w "$path" ] || echo "not-writable $path"
df -Pk "$path" | awk 'NR == 2 { print "kib", $(NF-2) }'
# A file system without a fixed number of inodes has 0 in total.
df -Pi "$path" 2> /dev/null | awk 'NR == 2 && $(NF-4) > 0 { print "inodes", $(NF-2) }'
if [ -n "$live" ] && [ -d "$root/releases/$live" ]; then
    du -sk "$root/releases/$live" | awk '{ print "live-kib", $1 }'
    echo "live-inodes $(find "$root/releases/$live" | wc -l)"
fi
is_unknown() { [ "$(systemctl "$@" 2> /dev/null)" = not-found ]; }
for requirement; do
    name=${requirement#*:}
    case $requirement in
        program:*) command -v "$name" > /dev/null || echo "missing-program $name" ;;
        unit:*) ! is_unknown show --property=LoadState --value -- "$name" || echo "missing-unit $name" ;;
        user-unit:*) ! is_unknown --user show --property=LoadState --value -- "$name" || echo "missing-unit $name" ;;
    esac
done
