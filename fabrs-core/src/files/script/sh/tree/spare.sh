# Refuses a sync that removes files in `/` or in the home directory.
case $h in / | "$(cd && pwd -P)") fail "$h is no folder in which all that is not here could be removed" ;; esac
