# Functions that report a different or an equal entry, and end the script.
differs() {
  printf 'fabrs-done %s\0' "$t"
  exit 0
}
same() {
  printf 'fabrs-same %s\0' "$t"
  exit 0
}
