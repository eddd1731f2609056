# Sends the checksums of the blocks of the target. Keeps the old content if some blocks are equal.
if [ -n "$old" ] && [ -n "$(sum </dev/null)" ]; then
  printf 'fabrs-blocks\0'
  blocks "$o"
  printf 'fabrs-end\0'
  preamble
  read -r h
  [ "$h" != some ] || keep=1
fi
