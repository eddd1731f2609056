# Compares the received content with the announced checksum $v.
s=$(sum <f)
[ -n "$s" ] || fail 'the host has no program for SHA-256, so that nothing can be verified'
[ "$s" = "$v" ] || fail 'what has arrived is not what was sent'
