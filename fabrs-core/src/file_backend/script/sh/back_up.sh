# Writes a backup of the old file. The rename is atomic.
if [ -f "$o" ]; then
  b=${o##*/}__SUFFIX__
  cp -p -- "$o" "./$b" && mv -f -- "./$b" "$d/" || exit 1
fi
