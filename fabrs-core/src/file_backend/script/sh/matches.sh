# Prints the paths that match a pattern: `d` for a directory or `f`, and the path, each ended by NUL.
found=
for f in __PATTERN__; do
  if [ -d "$f" ]; then
    found=1
    printf 'd\0%s\0' "$f"
  elif [ -e "$f" ]; then
    found=1
    printf 'f\0%s\0' "$f"
  fi
done
[ -n "$found" ] || fail "__NO_FILE__"__SHOWN__
