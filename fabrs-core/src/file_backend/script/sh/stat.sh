# Prints the metadata of a path without and with following a symlink, a line each. Prints nothing for
# a missing path.
export LC_ALL=C
f=__PATH__
if stat -c %f / >/dev/null 2>&1; then
  s='stat -c'
  m='x%f %u %g %s %Y %d %h ./'
else
  s='stat -f'
  m='o%p %u %g %z %m %d %l ./'
fi
look() {
  e=$("$@" 2>&1) && printf '%s\n' "$e" && return
  case $e in *'No such file or directory' | *'Not a directory') exit 0 ;; *) fail "${e##*: }" ;; esac
}
look $s "$m" -- "$f"
look $s "$m" -L -- "$f"
