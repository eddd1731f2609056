# The revert watchdog: returns a host to its earlier release if the run is cut off.
#
# Runs detached from SSH in the directory of the site. arm_revert.sh writes its settings as files
# into .fabrs-host-revert:
#   run       the id of the run; without this file, the revert is cancelled
#   release   the new release
#   before    the earlier release; empty for a first deploy
#   limit     the seconds between the loss of the run and the revert
#   holder    the text of deploy.lock while the run holds the lock
#   locked    the text of deploy.lock during the revert
#   entry     the entry for revisions.log
#   bad       the bad mark of the new release; empty for a rollback
#   restart   the commands to restart the services of the earlier release, for sh
# The watchdog adds `lost`, the time of the loss, and `result`, a sentence for `status`.
# shellcheck shell=sh
state=.fabrs-host-revert
exec 7> "$state/watchdog" && flock 7 || exit
for name in run release before limit holder; do
    value=$(cat "$state/$name") && eval "$name=\$value" || exit
done
# A handler, unlike an ignored signal, is not inherited by restarted services.
trap : HUP
echo started
exec > "$state/log" 2>&1

uptime_seconds() { read -r seconds _ < /proc/uptime; echo "${seconds%.*}"; }

is_pending() { [ "$(cat "$state/run" 2> /dev/null)" = "$run" ]; }

# The run holds the lock. The test first locks deploy.lock.turn, as each run does.
is_run_connected() {
    [ "$(cat deploy.lock)" = "$holder" ] && (flock 8 && ! flock -n 9) 8< deploy.lock.turn 9< deploy.lock
}

# Replaces @NOW@ in a text.
with_time() { printf '%s\n' "${1%%@NOW@*}$now${1#*@NOW@}"; }

# Locks the site as a run does. A manual lock keeps the release.
lock_site() {
    exec 8>> deploy.lock.turn 9>> deploy.lock
    if flock 8 && [ ! -e deploy.locked ] && flock -n 9; then
        now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
        with_time "$(cat "$state/locked")" > deploy.lock; echo revert > deploy.lock.phase
        exec 8>&-
    else
        exec 8>&- 9>&-
        return 1
    fi
}

unlock_site() { : > deploy.lock; exec 9>&-; }

# Ends the watchdog with a sentence for `status`.
finish() { echo "$1" > "$state/result"; rm -f "$state/run"; unlock_site; exit; }

switch_back() {
    if [ -z "$before" ]; then rm -f current; return; fi
    [ -d "releases/$before" ] && ln -sfn "releases/$before" ".current-$before" && mv -T ".current-$before" current
}

# Restarts the services. The restarted services must not inherit the locks.
restart() (
    exec 7>&- 9>&-
    command=$PWD/$state/restart
    cd "releases/$before" || exit
    if command -v timeout > /dev/null; then timeout 600 sh "$command"; else sh "$command"; fi
)

revert() {
    # A run that reverts the host links `current` first, and restarts the services then.
    case $(readlink current) in
        "releases/$release") ;;
        "releases/$before") [ -e "$state/reverting" ] || { rm -rf "$state"; unlock_site; exit; } ;;
        *) rm -rf "$state"; unlock_site; exit ;;
    esac
    switch_back || finish "the host could not return from $release to ${before:-no release}: $(tail -n 1 "$state/log")"
    cat "$state/entry" >> revisions.log
    if [ "$(cat "$state/bad")" ] && [ -d "releases/$release" ]; then
        with_time "$(cat "$state/bad")" > "releases/$release/BAD_RELEASE"
    fi
    if [ -z "$before" ]; then finish "$release was not confirmed: the host removed the link to this release at $now"; fi
    restart || finish "$release was not confirmed: the host returned to $before at $now, but the restart failed: $(tail -n 1 "$state/log")"
    finish "$release was not confirmed: the host returned to $before at $now"
}

lost=
while is_pending; do
    if [ -z "$lost" ] && ! is_run_connected; then
        lost=$(uptime_seconds)
        echo "$lost" > "$state/lost"
    fi
    if [ "$lost" ] && [ $(($(uptime_seconds) - lost)) -ge "$limit" ] && lock_site; then
        # The lock excludes all runs, so the answer is final.
        if is_pending; then revert; else unlock_site; exit; fi
    fi
    sleep 1
done
