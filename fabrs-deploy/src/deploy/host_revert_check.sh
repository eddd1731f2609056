# Prints each reason for which a host could not revert by itself, one a line. Arguments: the
# commands under sudo.
# shellcheck shell=sh
[ -r /proc/uptime ] || echo "/proc/uptime is not readable, and the revert watchdog needs its clock"
command -v setsid > /dev/null || command -v nohup > /dev/null || echo "the host has neither setsid nor nohup"
logind() {
    busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager "$1" 2> /dev/null
}
# Without systemd, there is no such property.
if [ "$(logind KillUserProcesses)" = "b true" ]; then
    case $(logind KillExcludeUsers) in
        *"\"$(id -un)\""*) ;;
        *) echo "systemd-logind would kill the revert watchdog at the end of the session (KillUserProcesses=yes)" ;;
    esac
fi
for command; do
    # -k ignores a password that was entered earlier.
    eval "sudo -k -n -l $command" > /dev/null 2>&1 < /dev/null ||
        printf 'sudo does not run `%s` without a password\n' "$command"
done
