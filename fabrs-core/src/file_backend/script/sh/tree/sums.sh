# Prints the SHA-256 of the paths on stdin.
sums() {
  if command -v sha256sum >/dev/null; then
    xargs -0 sha256sum
  elif command -v shasum >/dev/null; then
    xargs -0 shasum -a 256
  else
    xargs -0 openssl dgst -r -sha256
  fi 2>/dev/null | tr '\n' '\0'
}
