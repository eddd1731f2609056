# Checks that a directory exists with the requested attributes.
printf '\0'
t=__TARGET__
[ -d "$t" ] || {
  [ ! -e "$t" ] || fail "${t}__IS_NO_FOLDER__"
  differs
}
__CHECK_ATTRIBUTES__
same
