# Receives a secret and compares it with the target.
printf 'fabrs-send\0'
hear
cmp -s - "$t" && same_content
differs
