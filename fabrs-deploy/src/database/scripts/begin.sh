# Creates the directory of the snapshots and a temporary directory, and writes the credentials.
# $1: the database; $2: the snapshot directory, or empty; $FABRS_DATABASE_CREDENTIALS: the content of
# the credentials file
set -eu
umask 077
export LC_ALL=C
tab=$(printf '\t')
database=$1 directory=$2
shift 2
if [ -n "$directory" ]; then
    mkdir -p -- "$directory"
    directory=$(cd -- "$directory" && pwd)
    # Temporary directories of killed runs. A day is longer than any snapshot.
    find "$directory" -maxdepth 1 -name 'tmp.*' -mmin +1440 -exec rm -rf {} +
fi
work=$(mktemp -d -p "${directory:-${TMPDIR:-/tmp}}")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# The variable would be visible in the process list of this user.
printf '%s' "$FABRS_DATABASE_CREDENTIALS" > "$work/credentials"
unset FABRS_DATABASE_CREDENTIALS

fail() {
    printf '%s\n' "$1" >&2
    exit 1
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
    [ -f "$rows" ] || rows=$work/counted
    compare_rows "$rows" "$work/counted" || fail "the snapshot is damaged, its row counts differ from $rows: $1"
}
