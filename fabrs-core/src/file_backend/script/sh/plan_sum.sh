# Sends the checksum of the target, and receives the result of the comparison.
h=$(sum <"$t")
[ -n "$h" ] || differs
printf 'fabrs-sum %s\0' "$h"
preamble
read -r h
[ "$h" = same ] && same_content
differs
