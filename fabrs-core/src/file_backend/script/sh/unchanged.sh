# Fails if the target is not the file from which the content was made.
[ -f "$o" ] && [ "$(wc -c <"$o")" -eq __SIZE__ ] && c=$(sum <"$o") && { [ -z "$c" ] || [ "$c" = "$u" ]; } || fail "${t}__CHANGED_MEANWHILE__"
