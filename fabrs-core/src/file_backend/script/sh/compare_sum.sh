# Sends the checksum of the target, and receives the result of the comparison.
if [ -n "$old" ] && [ "$(wc -c <"$o" 2>/dev/null)" -eq __SIZE__ ]; then
  h=$(sum <"$o")
  if [ -n "$h" ]; then
    printf 'fabrs-sum %s\0' "$h"
    preamble
    read -r h
    [ "$h" != same ] || same
  fi
fi
