# Fails if the directory of the target is missing.
case $t in */*) d=${t%/*} ;; *) d=. ;; esac
d=${d:-/}
[ -d "$d" ] || {
  [ ! -e "$d" ] || fail "${d}__IS_NO_FOLDER__"
  fail "__NO_FOLDER__$d"
}
