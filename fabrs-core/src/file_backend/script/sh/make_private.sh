# Makes the current directory private if it has an ACL. A default ACL of the parent directory grants
# access to others in spite of the umask. A directory without an ACL is already private. It is not
# changed, since chmod by a user outside of its group would clear its set-group-ID bit.
make_private() {
  case $(ls -ld .) in ??????????+*) chmod go-rwx . ;; esac
}
