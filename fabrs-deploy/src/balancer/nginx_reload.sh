# Reloads nginx, and waits up to 10 s until the old workers accept no further request.
# shellcheck shell=sh disable=SC2154
old=$(workers "")
eval "$nginx -s reload" || exit
count=0
while [ "$count" -lt 100 ]; do
    ending=$(workers "is shutting down")
    is_done=yes
    for pid in $old; do
        case " $(echo $ending) " in *" $pid "*) continue ;; esac
        [ ! -d "/proc/$pid" ] || is_done=
    done
    [ -z "$is_done" ] || exit 0
    count=$((count + 1)); sleep 0.1
done
echo "nginx has not replaced its workers after a reload" >&2
exit 1
