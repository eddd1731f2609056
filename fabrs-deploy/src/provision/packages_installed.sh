# Defines is_installed, which succeeds if the package $1 is installed.
is_installed() {
    if command -v dpkg-query > /dev/null; then
        # A package of several architectures has one line for each.
        dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2> /dev/null | grep -qx installed
    elif command -v rpm > /dev/null; then
        rpm --query --quiet --whatprovides "$1"
    else
        echo 'unsupported package manager: the host has neither dpkg nor rpm' >&2
        exit 1
    fi
}
