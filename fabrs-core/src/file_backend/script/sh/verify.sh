# Compares the received content with the announced checksum $v.
s=$(sum <f)
[ -n "$s" ] || fail 'cannot verify the upload: the host has no program for SHA-256'
[ "$s" = "$v" ] || fail 'the received content differs from the sent content'
