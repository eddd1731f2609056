# Reports a difference unless the target has the requested mode. Bits outside of EXACT may be set in
# addition.
m=$(stat -L -c %a -- "$t" 2>/dev/null || stat -L -f %Mp%Lp -- "$t")
[ $((0$m & 0__EXACT__)) -eq $((0__MODE__ & 0__EXACT__)) ] && [ $((0__MODE__ & ~0$m)) -eq 0 ] || differs
