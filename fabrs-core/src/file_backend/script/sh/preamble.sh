# Skips the first line of stdin. The line arrives a round trip after the script starts. Meanwhile the
# script compares.
skipped=
preamble() {
  [ -n "$skipped" ] || read -r fabrs
  skipped=1
}
