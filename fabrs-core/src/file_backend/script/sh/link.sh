# Creates a symlink, or replaces a symlink atomically. `mv` moves the symlink into `..`: with the path
# of the target, `mv` would follow a symlink to another directory.
w=__NAME__
t=__TARGET__
l=__TO__
n=${t##*/}
o=$t
if [ -L "$t" ] && [ "$(readlink -- "$t" && echo x)" = "$l
x" ]; then
  before=$(state)
  __CHOWN_OLD__
  [ "$before" != "$(state)" ] || printf 'fabrs-same '
  exit 0
fi
[ -d "$t" ] && [ ! -L "$t" ] && fail "${t}__IS_A_FOLDER__"
__UNLESS_OTHER__
__FIND_TARGET__
p=$d
__ENTER__
ln -s -- "$l" "./$n" || exit 1
__CHOWN_NEW__
mv -f -- "./$n" ..
