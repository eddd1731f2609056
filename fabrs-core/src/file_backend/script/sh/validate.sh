# Runs the validation command of the user on the new file. The file has the name of the target, since
# some programs check the suffix.
b=${o##*/}
[ "$b" = f ] || ln f "./$b" 2>/dev/null || cp -p f "./$b" || exit 1
u2=$({
  cd /
  set -- "$w/$b"
  __COMMAND__
} 2>&1 </dev/null) || {
  i=$?
  fail 'the validation failed: `'__SHOWN__'` ended with' "$i: $(printf '%s' "$u2" | tail -n 10)"
}
[ "$b" = f ] || rm -f -- "./$b"
