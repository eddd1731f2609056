# Takes a snapshot, verifies it, and removes old snapshots. Prints the number of tables, of rows and
# of bytes, and the path of the snapshot.
# $1: the prefix of all snapshots of the database; $2: the time in 14 digits; $3: the number of
# snapshots to keep; $4: `new` if the database may not exist yet
prefix=$directory/$1 time=$2 kept=$3 missing=$4
digits='[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
# The new name is the last, also if the clock is behind.
for last in "$prefix"-$digits.dump; do :; done
last=${last##*-} last=${last%.dump}
case $last in *[!0-9]*) ;; *) [ "$time" -gt "$last" ] || time=$((last + 1)) ;; esac
file=$prefix-$time.dump
connect
dump
mv -- "$work/rows" "$work/dump.rows"
check_snapshot "$work/dump"
# After a power loss, the files have their content. Some systems flush only all files.
sync "$work/dump" "$work/dump.rows" 2> /dev/null || sync
# A dump with its final name is complete, so the rows come first.
mv -- "$work/dump.rows" "$file.rows"
mv -- "$work/dump" "$file"
set -- "$prefix"-$digits.dump
while [ "$#" -gt "$kept" ]; do
    rm -f -- "$1" "$1.rows"
    shift
done
awk -F "$tab" '{ tables++; rows += $2 } END { printf "%d %.0f ", tables, rows }' "$file.rows"
printf '%d %s\n' "$(wc -c < "$file")" "$file"
