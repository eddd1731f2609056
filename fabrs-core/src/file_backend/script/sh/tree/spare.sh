# Rejects a sync that could remove files in `/` or in the home directory.
case $h in / | "$(cd && pwd -P)") fail "refusing to delete files in $h" ;; esac
