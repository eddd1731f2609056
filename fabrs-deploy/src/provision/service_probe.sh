# Prints the differences of a unit of systemd.
#
# Arguments: UNIT STATE TIMESTAMP PATH... STATE is `running` or `stopped`. TIMESTAMP is the property
# of the unit with the time that the files are compared with.
unit=$1 state=$2 timestamp=$3
shift 3
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
if [ "$active" != active ]; then
    printf 'state: %s -> active\n' "$active"
    exit 0
fi
if [ "$(systemctl show --property=NeedDaemonReload --value "$unit")" = yes ]; then
    echo 'the unit file has changed'
fi
[ $# -gt 0 ] || exit 0
# `systemctl show` prints seconds. A file written and a unit started within one second would differ
# in each run, so the D-Bus property has the time in microseconds.
manager=org.freedesktop.systemd1
object=$(busctl call $manager /org/freedesktop/systemd1 $manager.Manager LoadUnit s "$unit") || exit
object=${object#*\"}
object=${object%\"*}
since=$(busctl get-property $manager "$object" $manager.Unit "$timestamp") || exit
since=${since#t }
since=$(printf '@%d.%06d' $((since / 1000000)) $((since % 1000000)))
changed=$(find -L "$@" -newerct "$since" -print) || exit
[ -z "$changed" ] || printf '%s\n' "$changed" | sed 's/$/: changed/'
