# SQLite. The database is the absolute path of a file.

connect() {
    command -v sqlite3 > /dev/null || fail "sqlite3 is not installed"
    cd "$work" || exit
}

run_sqlite() {
    sqlite3 -batch -bail -init /dev/null "$@"
}

# The first migration creates the file.
check() {
    [ ! -e "$database" ] || run_sqlite "$database" 'PRAGMA schema_version' > /dev/null
}

# Writes $work/dump and $work/rows. The copy is consistent while other programs write.
dump() {
    if [ -e "$database" ]; then
        run_sqlite "$database" '.timeout 60000' '.backup copy'
    elif [ "$missing" = new ]; then
        echo "warning: the snapshot is empty, because there is no file $database yet" >&2
        : > copy
    else
        fail "no such database: $database"
    fi
    count_rows_of_file copy > rows
    gzip -c copy > dump
}

# Prints the number of rows of each table in the dump $1. Checks all pages.
count_rows() {
    gzip -dc "$1" > "$work/checked" || return 1
    [ "$(run_sqlite "$work/checked" 'PRAGMA integrity_check')" = ok ] || return 1
    count_rows_of_file "$work/checked"
}

count_rows_of_file() {
    run_sqlite "$1" "SELECT printf('SELECT %Q, count(*) FROM \"%w\";', name, name) FROM sqlite_master
        WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %' AND name NOT LIKE 'sqlite\_%' ESCAPE '\\' ORDER BY name" > "$work/count.sql" || return 1
    run_sqlite -separator "$tab" "$1" < "$work/count.sql"
}

# Replaces the database in one transaction. Only the masked copy is restored. Without VACUUM, the
# free pages of the file would still have the old values. A backup needs equal page sizes.
restore() {
    gzip -dc "$snapshot" > new
    page_size=4096
    [ ! -e "$database" ] || page_size=$(run_sqlite "$database" 'PRAGMA page_size')
    {
        echo 'PRAGMA secure_delete = ON; BEGIN;' && cat mask.sql &&
            printf "\n;COMMIT;\nPRAGMA journal_mode = DELETE; PRAGMA page_size = %s; VACUUM;\nSELECT '%s';\n" "$page_size" "$token"
    } | run_sqlite new > output
    [ "$(tail -n 1 output)" = "$token" ] || fail "the mask SQL failed. The database is unchanged"
    [ "$(run_sqlite new 'PRAGMA integrity_check')" = ok ] ||
        fail "the masked copy failed PRAGMA integrity_check. The database is unchanged"
    run_sqlite "$database" '.timeout 60000' '.restore new'
    echo "$token"
}
