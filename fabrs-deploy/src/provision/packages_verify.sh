# Fails if a package of "$@" is still missing: the name of a virtual package. packages_installed.sh
# defines is_installed.
for package; do
    if ! is_installed "$package"; then
        printf '%s is not a package: use the name of a real package\n' "$package" >&2
        exit 1
    fi
done
