# Receives the content in parts, or as a whole if dd lacks the GNU options. Equal blocks are copied
# from the old file.
if dd iflag=fullblock status=none count=0 </dev/null 2>/dev/null; then
  if [ -n "$keep" ]; then cp -- "$o" f 2>/dev/null || cat <"$o" >f || exit 1; fi
  dd bs=1 seek=__SIZE__ count=0 status=none of=f </dev/null || exit 1
  printf 'fabrs-parts %s\0' "$w"
  preamble
  parts || exit 1
  v=$count
  u=$rest
else
  keep=
  __RECEIVE__
fi
