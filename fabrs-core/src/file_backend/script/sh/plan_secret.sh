# Receives a secret and compares it with the target.
printf 'fabrs-send\0'
preamble
cmp -s - "$t" && same_content
differs
