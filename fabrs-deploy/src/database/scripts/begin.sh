# Creates the snapshot directory and a temporary directory, and writes the credentials.
# $1: the database; $2: the snapshot directory, or empty; $FABRS_DATABASE_CREDENTIALS: the content of
# the credentials file
set -eu
umask 077
export LC_ALL=C
# An exported variable would be visible in the process list of this user.
credentials=$FABRS_DATABASE_CREDENTIALS
unset FABRS_DATABASE_CREDENTIALS
tab=$(printf '\t')
database=$1 directory=$2
shift 2
base=${TMPDIR:-/tmp}
if [ -n "$directory" ]; then
    mkdir -p -- "$directory"
    directory=$(cd -- "$directory" && pwd)
    base=$directory/.fabrs-work
    mkdir -p "$base"
    # Directories of killed runs. A day is longer than any snapshot.
    find "$base" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} + 2> /dev/null || :
fi
# Another run may just have removed the empty directory.
work=$(mktemp -d -p "$base" 2> /dev/null || { mkdir -p "$base" && mktemp -d -p "$base"; })
# Replaced by an engine with more to clean up.
clean_up() { :; }
trap 'clean_up; rm -rf -- "$work"; [ -z "$directory" ] || rmdir "$base" 2> /dev/null || :' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
printf '%s' "$credentials" > "$work/credentials"

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# Allows one restore at a time.
lock_directory() {
    exec 9< "$directory"
    flock -n 9 || fail "another run restores a database with snapshots in $directory"
}

# Compares the number of rows of each table: $1 has the expected numbers, $2 the actual numbers.
compare_rows() {
    awk -F "$tab" '
        FILENAME == ARGV[1] { actual[$1] = $2; next }
        !($1 in actual) { print "the table " $1 " is missing"; bad = 1; next }
        actual[$1] != $2 { print "the table " $1 " has " actual[$1] " rows, expected " $2; bad = 1 }
        END { exit bad }
    ' "$2" "$1" >&2
}

# Checks a snapshot and sets $rows: $1 is its file, and $1.rows has the expected numbers of rows. A
# file from elsewhere may come without them.
check_snapshot() {
    [ -f "$1" ] || fail "snapshot not found: $1"
    count_rows "$1" > "$work/counted" || fail "the snapshot is damaged: $1"
    rows=$1.rows
    if [ -f "$rows" ]; then
        compare_rows "$rows" "$work/counted" || fail "the snapshot is damaged, its row counts differ from $rows: $1"
    else
        rows=$work/counted
        echo "warning: the row counts are not compared, because there is no file $1.rows" >&2
    fi
}
