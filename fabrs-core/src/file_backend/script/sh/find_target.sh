# Sets $d to the directory of the target $t, and $o to the absolute path. Programs print an `x` after
# each path, since a shell strips line breaks at the end.
case $t in */*) d=${t%/*} ;; *) d=. ;; esac
[ -n "$d" ] || d=/
[ -d "$d" ] || {
  [ ! -e "$d" ] || fail "${d}__IS_NO_FOLDER__"
  fail "__NO_FOLDER__$d"
}
d=$(cd -- "$d" && pwd && echo x) || exit 1
d=${d%?x}
o=${d%/}/${t##*/}
