# Receives a file on stdin, unless the target has the same content. The target keeps the old content
# until the rename at the end.
printf '\0'
umask 022
w=__NAME__
t=__TARGET__
n=__OWN_NAME__
case $t in */) t=$t$n ;; *) if [ -d "$t" ]; then t=$t/$n; fi ;; esac
__FOLLOW__
__FIND_TARGET__
[ -f "$o" ] && [ ! -L "$o" ] && old=1 || old=
keep=
same() {
  before=$(state)
  __CHANGE__
  if [ "$before" = "$(state)" ]; then printf 'fabrs-same %s\0' "$t"; else printf 'fabrs-done %s\0' "$t"; fi
  exit 0
}
__COMPARE__
p=__PARENT__
__ENTER__
(umask 077; : >f) || exit 1
__RECEIVE__
[ "$(wc -c <f)" -eq __SIZE__ ] || fail 'the received file is incomplete'
[ -n "$old" ] && cmp -s f "$o" && same
__VERIFY__
__VALIDATE__
__FLUSH__
__UNLESS_CHANGED__
__BACK_UP__
__RENAME_INTO_PLACE__
printf 'fabrs-done %s\0' "$t"
