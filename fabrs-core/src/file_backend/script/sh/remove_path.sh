# Removes a path. The message of `ls` distinguishes a missing path from an inaccessible path. The
# tests of a shell do not.
export LC_ALL=C
t=__TARGET__
while [ "${t%/}" != "$t" ]; do t=${t%/}; done
e=$(ls -d -- "$t" 2>&1) || case $e in
*'No such file or directory' | *'Not a directory')
  printf 'fabrs-same '
  exit 0
  ;;
*) fail "${e##*: }" ;;
esac
__REFUSE_DIRECTORY__
e=$(__REMOVE__ "$t" 2>&1) || {
  e=$(printf '%s\n' "$e" | head -n 1)
  fail "${e#rm: }"
}
