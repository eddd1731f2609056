# Prints the name of each package of "$@" that is not installed. packages_installed.sh precedes.
for package; do
    is_installed "$package" || printf '%s\n' "$package"
done
