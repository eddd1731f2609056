# Prints the name of each package of "$@" that is not installed.
is_installed() {
    if command -v dpkg-query > /dev/null; then
        # A package of several architectures has one line for each.
        dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2> /dev/null | grep -qx installed
    elif command -v rpm > /dev/null; then
        rpm --query --quiet "$1"
    else
        echo "the host has neither apt-get nor dnf" >&2
        exit 1
    fi
}
for package; do
    is_installed "$package" || printf '%s\n' "$package"
done
