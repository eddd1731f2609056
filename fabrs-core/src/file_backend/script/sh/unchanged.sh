# Fails if the target no longer has the old content, from which the new content was derived.
[ -f "$o" ] && [ "$(wc -c <"$o")" -eq __SIZE__ ] && c=$(sum <"$o") && { [ -z "$c" ] || [ "$c" = "$u" ]; } || fail "${t}__CHANGED_MEANWHILE__"
