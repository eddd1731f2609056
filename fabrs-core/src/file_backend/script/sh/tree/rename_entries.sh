# Executes the lines `moved COUNT NAME... FOLDER/` and `replaced COUNT NAME FOLDER/` of the script
# $1: with one Perl process, or without Perl with one `mv` for each line. COUNT is the number of
# files in the named entries. $n is the sum for all moved entries.
#
# For `replaced`, the old entry is set aside in the directory `o` first, and restored after a failure.
# On another mount, where a rename fails, a copy is made beside the target.
rename_entries() {
  if command -v perl >/dev/null; then
    moved() { printf '%s\0' "$@" ''; }
    replaced() { printf '-'; moved "$@"; }
    . "./$1" >l || exit 1
    perl -0 -e '__PERL__' "$w" <l || exit 1
  else
    k=0
    moved() { c=$1; shift; mv -f -- "$@" || exit 1; n=$((n + c)); }
    replaced() {
      mkdir -p o
      k=$((k + 1))
      b=${2##*/}
      aside "$3$b" "o/$k"
      mv -f -- "$2" "$3" || { mv -f -- "o/$k" "$3$b"; exit 1; }
      n=$((n + $1))
    }
    aside() { printf '%s\0%s\0' "$1" "$2" >>r; mv -f -- "$1" "$2" || exit 1; }
    # A name with white space or a backslash is escaped in mountinfo, and cannot be searched for.
    case $h in *[[:space:]\\]*) ! : ;; *) ! grep -qF " ${h%/}/" /proc/self/mountinfo 2>/dev/null ;; esac || {
      copy_entry() {
        mkdir -m 700 -- "$2$w.m" && cp -pRP -- "$1" "$2$w.m/" && ${3:-:} && mv -f -- "$2$w.m/${1##*/}" "$2" || { rm -rf -- "$2$w.m"; return 1; }
        rm -rf -- "$2$w.m"
      }
      moved() {
        c=$1
        shift
        for to; do :; done
        while [ $# -gt 1 ]; do copy_entry "$1" "$to" || exit 1; shift; done
        n=$((n + c))
      }
      replaced() {
        b=$3${2##*/}
        old=$3$w.o
        room() { aside "$b" "$old"; }
        copy_entry "$2" "$3" room || exit 1
        rm -rf -- "$old"
        n=$((n + $1))
      }
    }
    . "./$1"
  fi
}
