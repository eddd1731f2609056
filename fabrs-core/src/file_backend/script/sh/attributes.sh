# Prints the mode and the owner of the target $o.
state() {
  ls -ldn -- "$o" 2>/dev/null | awk 'NR == 1 { print $1, $3, $4 }'
}
