# Renames the uploaded temporary file into place, over its target. $names is the number of hard
# links of the old file.
__KEEP_ACL__
__CHOWN__
__CHMOD__ || exit 1
__TOUCH__
__RENAME__
__FLUSH_DIRECTORY__
[ "${names:-1}" -le 1 ] || printf 'fabrs-names %s\0' "$t"
