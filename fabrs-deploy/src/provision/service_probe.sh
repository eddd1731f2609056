# Prints the differences between a systemd unit and its desired state.
#
# Arguments: UNIT STATE ACTION PATH... STATE is `running`, `enabled` or
# `stopped`. ACTION is `restart` or `reload`. Files changed after the last start or reload are printed.
unit=$1 state=$2 action=$3
shift 3
if ! command -v systemctl > /dev/null; then
    echo 'the host has no systemd' >&2
    exit 1
fi
enabled=$(systemctl is-enabled "$unit" 2> /dev/null) || :
active=$(systemctl is-active "$unit") || :
if [ "$state" = stopped ]; then
    case $enabled in
        enabled | enabled-runtime | linked) printf 'enablement: %s -> disabled\n' "$enabled" ;;
    esac
    case $active in
        inactive | failed) ;;
        *) printf 'state: %s -> inactive\n' "$active" ;;
    esac
    exit 0
fi
case $enabled in
    enabled | static | alias | indirect | generated | transient) ;;
    *) printf 'enablement: %s -> enabled\n' "${enabled:-missing}" ;;
esac
if [ "$state" = enabled ]; then
    reload=$(systemctl show --property=NeedDaemonReload --value "$unit") || exit
    [ "$reload" != yes ] || echo 'manager: has an old unit file'
    exit 0
fi
if [ "$active" != active ]; then
    printf 'state: %s -> active\n' "$active"
    exit 0
fi
# Prints the time of a property in the format of `find -newerct`. `systemctl show` prints whole
# seconds. A file written in the second of the unit's start would be reported in every run. The D-Bus
# property has microseconds.
manager=org.freedesktop.systemd1
time_of() {
    object=$(busctl call $manager /org/freedesktop/systemd1 $manager.Manager LoadUnit s "$unit") || return
    object=${object#*\"}
    object=${object%\"*}
    since=$(busctl get-property $manager "$object" $manager.Unit "$1") || return
    since=${since#t }
    printf '@%d.%06d' $((since / 1000000)) $((since % 1000000))
}
started=$(time_of ActiveEnterTimestamp) || exit
# A timer runs the service of the same name. Units below /run are generated at each reload of the
# manager.
show='systemctl show --property=FragmentPath --property=DropInPaths --value'
for file in $($show "$unit") $($show "${unit%.timer}.service"); do
    case $file in
        /run/*) continue ;;
    esac
    [ -z "$(find -L "$file" -newerct "$started" -print)" ] || printf 'unit file: %s\n' "$file"
done
if [ "$action" = reload ]; then
    case $(systemctl show --property=ReloadResult --value "$unit") in
        '' | success) ;;
        *) echo 'the last reload failed' ;;
    esac
    started=$(time_of StateChangeTimestamp) || exit
fi
[ $# -gt 0 ] || exit 0
changed=$(find -L "$@" -newerct "$started" -print) || exit
[ -z "$changed" ] || printf '%s\n' "$changed" | sed 's/$/: changed/'
