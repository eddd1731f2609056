# Compares the target with a checksum.
[ -n "$old" ] && [ "$(wc -c <"$o" 2>/dev/null)" -eq __SIZE__ ] && [ "$(sum <"$o")" = __SUM__ ] && same
