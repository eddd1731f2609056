# Takes a snapshot, verifies it, and removes old snapshots. Prints the number of tables, of rows and
# of bytes, and the path of the snapshot.
# $1: the prefix of all snapshots of the database; $2: the time in 14 digits; $3: the
# number of snapshots to keep
prefix=$directory/$1 time=$2 kept=$3
# The clock may be behind.
while [ -e "$prefix-$time.dump" ]; do time=$((time + 1)); done
file=$prefix-$time.dump
connect
dump
mv -- "$work/rows" "$work/dump.rows"
check_snapshot "$work/dump"
# A dump with its final name is complete, so the rows come first.
mv -- "$work/dump.rows" "$file.rows"
mv -- "$work/dump" "$file"
set -- "$prefix"-??????????????.dump
while [ "$#" -gt "$kept" ]; do
    rm -f -- "$1" "$1.rows"
    shift
done
awk -F "$tab" '{ tables++; rows += $2 } END { printf "%d %.0f ", tables, rows }' "$file.rows"
printf '%d %s\n' "$(wc -c < "$file")" "$file"
