# Follows a symlink at the target.
if [ -L "$t" ]; then
  l=$(readlink -f -- "$t" && echo x) || fail "the symlink $t is broken"
  t=${l%?x}
fi
