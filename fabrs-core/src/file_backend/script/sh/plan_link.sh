# Checks that a symlink exists with the requested target and owner.
printf '\0'
t=__TARGET__
l=__TO__
__UNLESS_OTHER__
[ -L "$t" ] && [ "$(readlink -- "$t" && echo x)" = "$l
x" ] || differs
__CHECK_OWNER__
same
