# MariaDB and MySQL. The credentials are an option file with the host, port, user and password.

connect() {
    for client in mariadb mysql; do ! command -v "$client" > /dev/null || break; done
    for dumper in mariadb-dump mysqldump; do ! command -v "$dumper" > /dev/null || break; done
    command -v "$client" > /dev/null || fail "neither mariadb nor mysql is installed"
    command -v "$dumper" > /dev/null || fail "neither mariadb-dump nor mysqldump is installed"
    check_name "$database"
    new=${database}_fabrs_new old=${database}_fabrs_old
}

# Names are part of SQL.
check_name() {
    case $1 in *[\`\'\"\\]*) fail "cannot use the name $1, which contains a quote or a backslash" ;; esac
}

# Other option files could replace the host, or add options to the dump.
run_mysql() {
    "$client" --defaults-file="$work/credentials" --default-character-set=utf8mb4 --batch --skip-column-names "$@"
}

check() {
    run_mysql -e 'SELECT 1' "$database" > /dev/null
}

# Prints the names of the tables of the database $1, sorted.
list_tables() {
    run_mysql -e "SELECT table_name FROM information_schema.tables
        WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema = '$1' ORDER BY BINARY table_name" > "$work/listed" ||
        fail "cannot list the tables of $1"
    while IFS= read -r table; do check_name "$table"; done < "$work/listed"
    cat "$work/listed"
}

# Fails if the database $1 has objects that a restore cannot replace atomically.
check_objects() {
    objects=$(run_mysql -e "SELECT CONCAT('view ', table_name) FROM information_schema.views WHERE table_schema = '$1'
        UNION SELECT CONCAT('sequence ', table_name) FROM information_schema.tables WHERE table_type = 'SEQUENCE' AND table_schema = '$1'
        UNION SELECT CONCAT('trigger ', trigger_name) FROM information_schema.triggers WHERE trigger_schema = '$1'
        UNION SELECT CONCAT('routine ', routine_name) FROM information_schema.routines WHERE routine_schema = '$1'
        UNION SELECT CONCAT('event ', event_name) FROM information_schema.events WHERE event_schema = '$1'
        UNION SELECT CONCAT('foreign key ', constraint_name, ' of the database ', constraint_schema)
            FROM information_schema.referential_constraints
            WHERE unique_constraint_schema = '$1' AND constraint_schema <> '$1'") || fail "cannot list the objects of $1"
    [ -z "$objects" ] || fail "only tables can be restored, but $1 has: $(echo "$objects" | paste -s -d , -)"
}

# Writes $work/dump and $work/rows. The dump is one consistent read. The server has no way to count
# the rows of the same state, so the dump itself is counted.
dump() {
    check_objects "$database"
    list_tables "$database" > "$work/tables"
    # mysqldump would otherwise write statements for the replication.
    gtid=
    ! "$dumper" --help 2> /dev/null | grep -q set-gtid-purged || gtid=--set-gtid-purged=OFF
    # One row in each INSERT, so the rows can be counted.
    {
        "$dumper" --defaults-file="$work/credentials" --default-character-set=utf8mb4 --single-transaction --quick \
            --no-autocommit --skip-extended-insert --hex-blob --no-tablespaces ${gtid:+"$gtid"} "$database" || : > "$work/failed"
    } | gzip > "$work/dump"
    [ ! -e "$work/failed" ] || fail "$dumper failed"
    count_rows "$work/dump" > "$work/rows" || fail "the dump is incomplete"
    # Each table from before the dump is in the dump.
    cut -f 1 "$work/rows" > "$work/dumped"
    while IFS= read -r table; do
        grep -qFx -- "$table" "$work/dumped" || fail "the table $table is missing in the dump"
    done < "$work/tables"
}

# Prints the number of rows of each table in the dump $1. Reads and decompresses all data.
count_rows() {
    { gzip -dc "$1" && echo '-- end of the file'; } | awk '
        /^CREATE TABLE `/ { table = $0; sub(/^CREATE TABLE `/, "", table); sub(/` \($/, "", table); rows[table] = 0 }
        /^INSERT INTO `/ { rows[table]++ }
        /^-- Dump completed/ { complete++ }
        $0 == "-- end of the file" { complete++ }
        END { for (table in rows) print table "\t" rows[table]; exit complete != 2 }
    '
}

# Removes the loaded data, which may not be masked. After the exchange, the database is empty.
clean_up() {
    [ ! -e "$work/has-new" ] || run_mysql -e "DROP DATABASE IF EXISTS \`$new\`" || :
}

# Fills a second database, and exchanges the tables by one atomic statement.
restore() {
    check_objects "$database"
    : > "$work/has-new"
    run_mysql -e "DROP DATABASE IF EXISTS \`$new\`; CREATE DATABASE \`$new\`; CREATE DATABASE IF NOT EXISTS \`$old\`"
    list_tables "$old" > "$work/leftover_tables"
    [ ! -s "$work/leftover_tables" ] || fail "the database $old has tables of an interrupted restore. Check and drop it first"
    { gzip -dc "$snapshot" && printf "SELECT '%s';\n" "$token"; } | run_mysql "$new" > "$work/output"
    [ "$(tail -n 1 "$work/output")" = "$token" ] || fail "could not load $snapshot into $new. The database is unchanged"
    check_objects "$new"
    list_tables "$new" > "$work/new_tables"
    cut -f 1 "$rows" | sort > "$work/expected_tables"
    sort "$work/new_tables" | cmp -s - "$work/expected_tables" || fail "the tables of $new differ from $snapshot. The database is unchanged"
    while IFS= read -r table; do
        printf "SELECT '%s', COUNT(*) FROM \`%s\`;\n" "$table" "$table"
    done < "$work/new_tables" > "$work/count.sql"
    run_mysql "$new" < "$work/count.sql" > "$work/loaded"
    # A dump of another program may have several rows in each INSERT.
    [ "$rows" = "$work/counted" ] || compare_rows "$rows" "$work/loaded" ||
        fail "the row counts of $new differ from $snapshot. The database is unchanged"
    { cat "$work/mask.sql" && printf "\n;SELECT '%s';\n" "$token"; } | run_mysql "$new" > "$work/output"
    [ "$(tail -n 1 "$work/output")" = "$token" ] || fail "the mask SQL failed. The database is unchanged"
    list_tables "$new" > "$work/new_tables"
    list_tables "$database" > "$work/old_tables"
    {
        printf 'SET lock_wait_timeout = 60; SET foreign_key_checks = 0; RENAME TABLE '
        {
            while IFS= read -r table; do
                printf '`%s`.`%s` TO `%s`.`%s`\n' "$database" "$table" "$old" "$table"
            done < "$work/old_tables"
            while IFS= read -r table; do
                printf '`%s`.`%s` TO `%s`.`%s`\n' "$new" "$table" "$database" "$table"
            done < "$work/new_tables"
        } | paste -s -d , -
    } > "$work/exchange.sql"
    if [ -s "$work/old_tables" ] || [ -s "$work/new_tables" ]; then
        run_mysql < "$work/exchange.sql"
    fi
    list_tables "$database" | cmp -s - "$work/new_tables" || fail "the restored tables are missing. The old tables are in the database $old"
    run_mysql -e "DROP DATABASE \`$old\`" || echo "warning: could not drop the database $old with the old tables" >&2
    echo "$token"
}
