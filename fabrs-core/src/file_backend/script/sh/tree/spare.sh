# Refuses a sync that removes files in `/` or in the home directory.
case $h in / | "$(cd && pwd -P)") fail "refusing to delete files in $h" ;; esac
