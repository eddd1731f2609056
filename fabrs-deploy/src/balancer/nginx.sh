# Functions for a running nginx. Variables: nginx, the command with its options.
# shellcheck shell=sh disable=SC2154
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

# Prints the process id of the master process.
master() {
    file=$(eval "$nginx -T" 2> /dev/null | tr ';{}' '\n\n\n' | sed -n 's/^[[:space:]]*pid[[:space:]]\{1,\}//p' | head -n 1)
    [ -n "$file" ] || file=$(eval "$nginx -V" 2>&1 | sed -n 's/.*--pid-path=\([^ ]*\).*/\1/p')
    if [ ! -s "$file" ]; then echo "nginx is not running: no process id in $file" >&2; return 1; fi
    cat "$file"
}

# Prints the process ids of workers: all, or only those with a title that contains $1.
workers() {
    master=$(master) || return
    for status in $(grep -ls "^PPid:[[:space:]]*$master\$" /proc/[0-9]*/status); do
        pid=${status#/proc/}; pid=${pid%/status}
        case $(tr '\0' ' ' 2> /dev/null < "/proc/$pid/cmdline") in *"worker process"*"$1"*) echo "$pid" ;; esac
    done
}
