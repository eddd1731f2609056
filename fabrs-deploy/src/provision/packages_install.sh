# Installs the packages of "$@" with apt-get, dnf or yum. packages_verify.sh follows.
set -e
if command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt_get() {
        # A new machine often runs its own updates, which hold the lock.
        apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Options::=--force-confdef \
            -o Dpkg::Options::=--force-confold "$@"
    }
    # An interrupted installation blocks the next one until it is completed.
    [ -z "$(dpkg --audit)" ] || dpkg --force-confdef --force-confold --configure -a >&2
    apt_get update >&2
    apt_get install -- "$@" >&2
elif command -v dnf > /dev/null; then
    dnf --quiet --assumeyes install -- "$@" >&2
else
    yum --quiet --assumeyes install -- "$@" >&2
fi
