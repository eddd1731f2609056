# Validates the new file at its target. Meanwhile the old file has a second name in the directory
# `o`. A rename from there restores the content, mode, owner and ACL. If the host refuses a hard
# link, the old file is renamed, and the target is missing for an instant. A file `f` that remains
# was not renamed.
restore() {
  trap '' HUP INT PIPE TERM
  cd /
  if [ -e "$w/f" ] && [ -e "$o" ]; then return; fi
  if [ -e "$w/o/f" ]; then
    mv -f -- "$w/o/f" "$o" || fail "validation failed, and the old file could not be restored: move $w/o/f to $t"
  elif [ -n "$new" ]; then
    rm -f -- "$o"
  fi
}
new=
[ -e "$o" ] || new=1
# The last `wait` keeps the process group alive, so fabrs can kill a command that ignores TERM.
trap 'trap - EXIT; restore; clean; wait; exit 1' HUP INT PIPE TERM
trap 'restore; clean' EXIT
if [ -z "$new" ]; then
  mkdir o || exit 1
  ln -- "$o" o/f 2>/dev/null || mv -f -- "$o" o/f || exit 1
fi
__RENAME__
# A signal interrupts `wait` at once, also if the command ignores the signal.
(
  cd /
  set -- "$o"
  __COMMAND__
) >u 2>&1 </dev/null &
wait $! || {
  i=$?
  fail 'the validation failed: `'__SHOWN__'` ended with' "$i: $(tail -n 10 u)"
}
trap 'clean; exit 1' HUP INT PIPE TERM
trap clean EXIT
