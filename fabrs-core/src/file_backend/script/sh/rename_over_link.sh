# Renames the new file. `mv` moves it into `..`: with the path of the target, `mv` would follow a
# symlink to another directory.
b=${o##*/}
[ "$b" = f ] || mv -f -- f "./$b" && mv -f -- "./$b" .. || exit 1
