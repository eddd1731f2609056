# Runs the shell function `run` beside a guard process, for a server that forwards no signals.
#
# The caller defines `run` before this script. Standard input contains one signal name a line for
# the guard process. `run` itself reads an empty input. The first line, `fabrs`, is skipped.
# POSIX only; tested with dash, bash and busybox.

exec 3<&0
t=

# The server or `setsid` has made a process group, led by this shell.
if kill -0 -$$ 2>/dev/null; then
    # The guard process ignores TERM, because it signals its own group and KILL may have to follow.
    # After TERM it also ignores VTALRM, outlives this shell and ends the rest of the group.
    # The end of file means a lost connection.
    {
        trap '' TERM HUP INT QUIT ALRM USR1 USR2
        while read -r s; do
            case $s in
            fabrs) continue ;;
            TERM) trap '' VTALRM ;;
            esac
            kill -$s 0
        done
        trap '' VTALRM
        kill -TERM 0
        sleep 1
        kill -KILL 0
    } <&3 >/dev/null 2>&1 &
    w=$!
    trap t=1 TERM
    trap : HUP INT QUIT ALRM USR1 USR2
    # Messages of this shell itself ("Terminated") are discarded.
    exec 4>&2 2>/dev/null
    # `run` is in the foreground, because a background list ignores INT and QUIT. This shell waits
    # for `run`, because dropbear closes the channel when the shell ends.
    (run) </dev/null 2>&4 3<&- 4>&-
    s=$?
    exec 3<&-
    kill -VTALRM $w
    # 143 is 128 + SIGTERM: end by the same signal, so that the server reports the signal.
    if [ "$t$s" = 1143 ]; then
        trap - TERM
        kill -TERM $$
    fi
    exit $s
fi

# Without a process group only the direct child can be signalled.
{
    trap - INT QUIT
    run
} </dev/null 3<&- &
p=$!
{
    while read -r s; do
        case $s in
        fabrs) continue ;;
        TERM) trap '' VTALRM ;;
        esac
        kill -$s $p
    done
    kill -KILL $p
} <&3 >/dev/null 2>&1 &
w=$!
exec 3<&- 2>/dev/null
wait $p
s=$?
kill -VTALRM $w
# The channel stays open while the guard process runs. fabrs then reports the command as possibly
# still running.
wait $w
exit $s
