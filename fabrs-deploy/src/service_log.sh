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
file_since() { # inode, size
    [ -e "$name" ] || return 0
    now=$(file_mark)
    if [ "${now% *}" = "$1" ]; then
        # A smaller file was truncated in place.
        if [ "${now#* }" -ge "$2" ]; then tail -c "+$(($2 + 1))" -- "$name"; else cat -- "$name"; fi
        return
    fi
    # Log rotation renamed the file.
    [ "$1" = 0 ] || find "$(dirname -- "$name")" -maxdepth 1 -inum "$1" -exec tail -c "+$(($2 + 1))" {} \;
    cat -- "$name"
}
count() { grep -cE -e "$pattern" || :; }
now() {
    time=$(date +%s.%N)
    case $time in *[!0-9.]* | *.) date +%s ;; *) printf '%s\n' "$time" ;; esac
}
case $action in
    mark)
        case $kind in *journal) check_journal; position='0 0' ;; *) position=$(file_mark) ;; esac
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
                errors() {
                    echo $(($(journal --priority err "$@" | grep -c '') + $(journal --priority warning..debug "$@" | count)))
                }
                before=$(awk -v now="$now" -v since="$since" 'BEGIN { printf "%.6f", since - (now - since) }')
                echo "$now $(errors --since "@$since") $before $(errors --since "@$before" --until "@$since")"
                ;;
            *)
                after=$(file_since "$inode" "$size" | count)
                before=$(file_since "$start_inode" "$start_size" | count)
                echo "$now $after $start $((before > after ? before - after : 0))"
                ;;
        esac
        ;;
esac
