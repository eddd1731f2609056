# Reads the log of a service.
# Variables: action, kind, name, since, inode, size, start, start_inode, start_size, lines, pattern.
# `since`, `inode` and `size` are the mark of the switch. `start*` are an earlier mark.
# shellcheck shell=sh disable=SC2154
export LC_ALL=C
journal() {
    case $kind in
        journal) journalctl --unit "$name" --no-pager --output cat "$@" ;;
        user-journal) journalctl --user-unit "$name" --no-pager --output cat "$@" ;;
    esac
}
# journalctl without permission prints only the entries of the login user, often without a notice.
# Without this check, an unreadable journal would have no errors.
check_journal() {
    if [ "$kind" = user-journal ]; then
        [ -z "$(journalctl --user --quiet --no-pager --lines 1)" ] || return 0
    else
        # Only root can wait until journald has written the last messages.
        [ "$(id -u)" != 0 ] || journalctl --sync
        for file in /var/log/journal/*/system.journal /run/log/journal/*/system.journal; do
            [ ! -r "$file" ] || return 0
        done
    fi
    echo 'the login user cannot read the journal, or there is no journal' >&2
    exit 1
}
# The file name is relative to the root of the site.
file_mark() { stat -L -c '%i %s' -- "$name" 2> /dev/null || echo '0 0'; }
check_file() {
    [ ! -e "$name" ] || [ -r "$name" ] || { echo "permission denied: $name" >&2; exit 1; }
}
# Prints the lines since a position. Fails if lines may be missing.
file_since() { # inode, size
    now=$(file_mark)
    if [ "${now% *}" = "$1" ]; then
        # A smaller file was truncated in place.
        if [ "${now#* }" -ge "$2" ]; then tail -c "+$(($2 + 1))" -- "$name"; else cat -- "$name"; fi
        return
    fi
    # Log rotation renamed the file.
    # The slash enters a symlinked directory.
    rotated=$(find "$(dirname -- "$name")/" -maxdepth 1 -inum "$1" | head -n 1)
    [ "$1" = 0 ] || [ -n "$rotated" ] || return 3
    [ -z "$rotated" ] || tail -c "+$(($2 + 1))" -- "$rotated"
    [ ! -e "$name" ] || cat -- "$name"
}
count() {
    grep -cE -e "$pattern"
    [ $? -le 1 ]
}
# Exit status 3: the number of errors is unknown.
unknown() { echo "$1" >&2; exit 3; }
now() {
    time=$(date +%s.%N)
    case $time in *[!0-9.]* | *.) date +%s ;; *) printf '%s\n' "$time" ;; esac
}
case $action in
    mark)
        case $kind in *journal) check_journal; position='0 0' ;; *) check_file; position=$(file_mark) ;; esac
        printf '%s %s\n' "$(now)" "$position"
        ;;
    tail)
        case $kind in
            *journal) check_journal; journal --since "@$since" --lines "$lines" ;;
            *) file_since "$inode" "$size" | tail -n "$lines" ;;
        esac
        ;;
    errors)
        now=$(now)
        case $kind in
            *journal)
                check_journal
                [ -n "$(journal --quiet --lines 1)" ] || unknown "the journal has no entry of $name"
                # The pipe of a command would hide the failure of journalctl.
                errors() {
                    severe=$(journal --quiet --priority err "$@") || return
                    others=$(journal --quiet --priority warning..debug "$@") || return
                    severe=$(printf '%s' "$severe" | grep -c '')
                    others=$(printf '%s' "$others" | count) || return
                    echo $((severe + others))
                }
                before=$(awk -v now="$now" -v since="$since" 'BEGIN { printf "%.6f", since - (now - since) }')
                after=$(errors --since "@$since") || exit
                earlier=$(errors --since "@$before" --until "@$since") || exit
                echo "$now $after $before $earlier"
                ;;
            *)
                check_file
                [ -e "$name" ] || unknown "the file $name does not exist"
                after=$(file_since "$inode" "$size") || unknown "log rotation removed lines of $name"
                before=$(file_since "$start_inode" "$start_size") || unknown "log rotation removed lines of $name"
                after=$(printf '%s\n' "$after" | count) || exit
                before=$(printf '%s\n' "$before" | count) || exit
                echo "$now $after $start $((before > after ? before - after : 0))"
                ;;
        esac
        ;;
esac
