# Reports an error on stderr, and ends the script.
fail() {
  printf 'fabrs: %s\n' "$*" >&2
  exit 1
}
