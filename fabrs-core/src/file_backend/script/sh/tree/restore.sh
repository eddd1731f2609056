# Restores the old entries of failed replacements.
restore() {
  [ ! -s r ] || xargs -0 sh -c 'while [ $# -gt 1 ]; do [ -e "$1" ] || [ -L "$1" ] || mv -f -- "$2" "$1"; shift 2; done' sh <r
}
