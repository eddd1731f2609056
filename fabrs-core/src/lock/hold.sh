# Holds a lock while heartbeats arrive on stdin. After the first answer, echoes each message.
#
# The script locks NAME.lock.turn while it tries NAME.lock, so NAME.lock always has the text of its
# holder. Each message is received with `read`, which consumes no byte after the line.
command -v flock > /dev/null || { echo no-flock; exit; }
mkdir -p __DIRECTORY__ && cd __DIRECTORY__ || exit
lock=__NAME__.lock
exec 8>> "$lock.turn" 9>> "$lock" || exit
flock 8 || exit
if [ -e __NAME__.locked ]; then printf 'manual %s\n' "$(tr '\n' ' ' < __NAME__.locked)"; exit; fi
flock -n 9 || { printf 'held %s\n' "$(tr '\n' ' ' < "$lock")"; exit; }
printf '%s\n' __HOLDER__ > "$lock" && : > "$lock.phase" || exit
exec 8>&-
echo locked

receive='IFS= read -r line && printf "%s\n" "$line"'
receive() {
  if command -v timeout > /dev/null; then timeout __LEASE_SECONDS__ sh -c "$receive" 9>&-; else sh -c "$receive" 9>&-; fi
}
folder='' phase=''; trap '' PIPE
while line=$(receive) && [ -n "$line" ]; do
  echo "$line" 2> /dev/null
  if [ "$line" = __UNLOCK_MESSAGE__ ]; then : > "$lock"; exit; fi
  rest=${line#* }; folder=${rest#* }
  if [ "${rest%% *}" != "$phase" ]; then phase=${rest%% *}; echo "$phase" > "$lock.phase"; fi
done
: > "$lock"

# The run has died: the messages ended without the unlock message. End the processes in its working
# directory before the lock is released, unless the directory is the current release.
case $folder in /?*) ;; *) exit ;; esac
folder=$(cd "$folder" 2> /dev/null && pwd -P) && [ "$(cd current 2> /dev/null && pwd -P)" != "$folder" ] || exit
n=0; left=yes
while [ "$left" ] && [ $n -lt 30 ]; do
  left=; if [ $n -lt 10 ]; then signal=TERM; else signal=KILL; fi; n=$((n+1))
  for cwd in /proc/[0-9]*/cwd; do
    case $(readlink "$cwd" 2> /dev/null) in "$folder" | "$folder"/*)
      pid=${cwd#/proc/}; kill -s $signal "${pid%/cwd}" 2> /dev/null && left=yes ;;
    esac
  done
  [ -z "$left" ] || sleep 0.1
done
