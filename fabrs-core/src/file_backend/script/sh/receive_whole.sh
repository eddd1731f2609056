# Receives the content as a whole. For a verified upload and for an edit, a line with the checksums
# comes first.
printf 'fabrs-send\0'
preamble
__READ_SUMS__
cat >f || exit 1
