# Runs a command inside the directory $1 of the target, unless the directory was moved. `put` and
# `swapped` move new entries into the directory. They reach the new entries through the working
# directory of the main script, even if the parent directory is renamed.
at() {
  q=$1
  shift
  f=$h
  [ -z "$q" ] || f=${h%/}/$q
  (
    cd -P -- "$f" 2>/dev/null && p=$(pwd -P; echo x) && [ "${p%?x}" = "$f" ] || fail "${q:-the directory} was moved"
    "$@"
  )
}
here() { s=/proc/$$/cwd; [ -e "$s/m" ] || s=$h/$w; }
put() { here; for i; do shift; set -- "$@" "$s/$i"; done; mv -f -- "$@" ./; }
swapped() {
  here
  b=${1##*/}
  mkdir -p "$s/o" && printf '%s\0%s\0' "$f/$b" "o/$k" >>"$s/r" && mv -f -- "./$b" "$s/o/$k" || exit 1
  mv -f -- "$s/$1" ./ || { mv -f -- "$s/o/$k" "./$b"; exit 1; }
}
