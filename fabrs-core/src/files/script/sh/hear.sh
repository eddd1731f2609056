# Skips the first line of stdin. The line arrives a round trip after the script starts. Meanwhile the
# script compares.
heard=
hear() {
  [ -n "$heard" ] || read -r fabrs
  heard=1
}
