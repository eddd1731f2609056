# Prints a file after a header line with its mode and size, unless the content is known.
f=__PATH__
[ -d "$f" ] && fail "${f}__IS_A_FOLDER__"
[ -e "$f" ] || fail "__NO_FILE__$f"
[ -f "$f" ] || fail "${f}__NO_REGULAR__"
s=$(wc -c <"$f") || exit 1
__UNLESS_KNOWN__
m=$(stat -L -c %a -- "$f" 2>/dev/null || stat -L -f %Mp%Lp -- "$f")
printf 'fabrs-content %s %s\n' "$m" $((s))
head -c $((s)) "$f"
