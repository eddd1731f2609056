# Receives parts of a file. A line announces each part: the first MiB, the number of MiB, and the
# number of further bytes. The line `done SUM OLD_SUM` ends the parts.
parts() {
  while read -r at count rest && [ "$at" != "done" ]; do
    [ -f f ] || exit 1
    [ "$count" = 0 ] || dd bs=1048576 seek="$at" count="$count" conv=notrunc iflag=fullblock status=none of=f || exit 1
    [ "$rest" = 0 ] || { dd bs=1048576 seek=$((at + count)) count=0 status=none && head -c "$rest"; } 1<>f || exit 1
    printf 'fabrs-part\0'
  done
  [ "$at" = "done" ]
}
