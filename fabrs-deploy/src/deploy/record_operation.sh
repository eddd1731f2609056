# Appends a finished operation to the operation log, with the time of its commit.
# $1: the directory of the log; $2: the repository; $3: the commit, or empty; $4: the JSON object,
# in one line
set -eu
cd -- "$1" 2> /dev/null || exit 0
committed=
if [ -n "$3" ]; then
    committed=$(git --git-dir "$2" log -1 --no-show-signature --format=%ct "$3" -- 2> /dev/null) || committed=
fi
umask 077
exec 9>> operations.lock
flock 9
printf '%s,"committed":%s}\n' "${4%'}'}" "${committed:-null}" >> operations.log
# The log keeps its last 1,000 entries. 200 entries more avoid a copy for each entry.
if [ "$(wc -l < operations.log)" -gt 1200 ]; then
    tail -n 1000 operations.log > operations.log.new && mv operations.log.new operations.log
fi
