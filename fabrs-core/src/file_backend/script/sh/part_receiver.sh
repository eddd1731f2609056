# Receives parts of a file in the temporary directory of another script.
w=__DIRECTORY__
cd -- "$w" && [ -O . ] && [ "$(pwd -P)" = "$w" ] && [ ! -L f ] || exit 1
printf '\0'
read -r fabrs
parts || :
