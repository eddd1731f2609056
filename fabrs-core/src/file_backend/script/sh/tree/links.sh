# Prints the paths of symlinks on stdin, each with its target.
links() {
  xargs -0 sh -c 'for f; do l=$(readlink "$f" && echo x); printf "%s\0%s\0" "$f" "${l%?x}"; done' sh
}
