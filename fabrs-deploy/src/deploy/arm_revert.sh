# Starts the revert watchdog of a host, under the lock of the run. Arguments: the directory of the
# site, and the contents of the files in .fabrs-host-revert (see revert_watchdog.sh).
# shellcheck shell=sh
state=.fabrs-host-revert
cd "$1" && rm -rf "$state" && mkdir "$state" || exit
shift
for name in run release before limit locked entry bad restart watchdog.sh; do
    printf '%s\n' "$1" > "$state/$name" || exit
    shift
done
cat deploy.lock > "$state/holder" || exit
if command -v setsid > /dev/null; then detach=setsid; else detach='nohup'; fi
# The watchdog closes this pipe after its start. No other descriptor of the session stays open, so
# the end of the session does not wait for the watchdog.
started=$($detach sh "$state/watchdog.sh" < /dev/null 2> "$state/log" 3>&- 4>&- 5>&- 6>&- 8>&- 9>&- &)
if [ "$started" != started ]; then
    echo "the revert watchdog did not start: $(tail -n 1 "$state/log")" >&2
    rm -rf "$state"
    exit 1
fi
