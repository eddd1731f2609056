# Creates a directory with its missing parents, and sets its attributes.
umask 022
t=__TARGET__
o=$t
before=$(state)
if [ ! -d "$t" ]; then
  [ ! -e "$t" ] || fail "${t}__IS_NO_FOLDER__"
  mkdir -p -- "$t" || exit 1
fi
__CHANGE__
[ "$before" != "$(state)" ] || printf 'fabrs-same '
