# Enters a private temporary directory in $p, beside the target, with the secret name $w. The
# directory is removed at the end. The owner of $p cannot swap the temporary files, since the script
# names these files only from inside the directory. The removal is repeated while another script
# still writes into the directory. Signals do not interrupt the removal.
p=$(cd -- "$p" && pwd -P && echo x) || exit 1
p=${p%?x}
w=${p%/}/.fabrs.$w
sweep "$p"
i=0
clean() {
  trap '' HUP INT PIPE TERM
  cd /
  until rm -rf -- "$w" || [ $((i += 1)) -gt 99 ]; do :; done 2>/dev/null
}
trap 'clean; exit 1' HUP INT PIPE TERM
trap clean EXIT
e=$(umask 077; mkdir -- "$w" 2>&1) || fail "cannot write to the directory $p: ${e##*: }"
cd -- "$w" && [ -O . ] && [ "$(pwd -P)" = "$w" ] && make_private || fail "the temporary directory $w was moved"
