# Removes the temporary directories that killed scripts have left in the directory $1. A temporary
# directory must have a name of 16 hexadecimal digits, belong to this user, and be unchanged for a
# day. A directory with an entry `o` has the only copy of replaced files, and is kept.
sweep() {
  for i in "${1%/}"/.fabrs.????????????????; do
    case ${i##*/.fabrs.} in *[!0-9a-f]*) continue ;; esac
    if [ -d "$i" ] && [ ! -L "$i" ] && [ -O "$i" ] && [ ! -d "$i/o" ] && [ -z "$(find "$i" -mtime -1 2>/dev/null | head -n 1)" ]; then
      rm -rf -- "$i"
    fi
  done
}
