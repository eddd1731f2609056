# Reads the old file: $1 is the mode, $names the number of hard links, $3 and $4 the owner and the
# group. Copies the ACL of the old file if the host has the programs. If the old file has no ACL,
# removes an ACL that the new file has inherited from the directory.
if [ -n "$old" ]; then
  l=$(ls -ldn -- "$o")
  set -f
  set -- $l
  set +f
  names=$2
  case $1 in
  *+) getfacl -cp -- "$o" 2>/dev/null | setfacl --set-file=- f 2>/dev/null || printf 'fabrs-acl %s\0' "$t" ;;
  *) case $(ls -ld f) in ??????????+*) setfacl -b f 2>/dev/null || printf 'fabrs-acl %s\0' "$t" ;; esac ;;
  esac
fi
