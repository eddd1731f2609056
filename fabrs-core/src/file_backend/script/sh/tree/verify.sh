# Compares the received files with their checksums.
if [ ! -s s ]; then
  :
elif command -v sha256sum >/dev/null; then
  sha256sum -c s >/dev/null
elif command -v shasum >/dev/null; then
  shasum -a 256 -c s >/dev/null
else
  fail 'cannot verify the upload: the host has no program for SHA-256'
fi 2>/dev/null || fail 'the received content differs from the sent content'
