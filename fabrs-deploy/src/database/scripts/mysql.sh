# MariaDB and MySQL. The credentials are an option file with the host, port, user and password.

connect() {
    for client in mariadb mysql; do ! command -v "$client" > /dev/null || break; done
    for dumper in mariadb-dump mysqldump; do ! command -v "$dumper" > /dev/null || break; done
    command -v "$client" > /dev/null || fail "neither mariadb nor mysql is installed"
    command -v "$dumper" > /dev/null || fail "neither mariadb-dump nor mysqldump is installed"
}

run_mysql() {
    "$client" --defaults-extra-file="$work/credentials" --default-character-set=utf8mb4 --batch --skip-column-names "$@"
}

check() {
    run_mysql -e 'SELECT 1' "$database" > /dev/null
}

# Prints the names of the tables of the database $1, or of other objects of this type: $2.
list() {
    case $2 in
        tables) run_mysql -e "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = '$1'" ;;
        others) run_mysql -e "SELECT CONCAT('view ', table_name) FROM information_schema.views WHERE table_schema = '$1'
            UNION SELECT CONCAT('trigger ', trigger_name) FROM information_schema.triggers WHERE trigger_schema = '$1'
            UNION SELECT CONCAT('routine ', routine_name) FROM information_schema.routines WHERE routine_schema = '$1'
            UNION SELECT CONCAT('event ', event_name) FROM information_schema.events WHERE event_schema = '$1'" ;;
    esac
}

# Writes $work/dump and $work/rows. The dump is one consistent read. The server has no way to count
# the rows of the same state, so the dump itself is counted.
dump() {
    list "$database" tables > "$work/tables"
    # One row in each INSERT, so the rows can be counted.
    {
        "$dumper" --defaults-extra-file="$work/credentials" --default-character-set=utf8mb4 --single-transaction \
            --quick --skip-extended-insert --hex-blob --routines --events --triggers "$database" || : > "$work/failed"
    } | gzip > "$work/dump"
    [ ! -e "$work/failed" ] || fail "$dumper failed"
    count_rows "$work/dump" > "$work/rows" || fail "the dump is incomplete"
    # Each table from before the dump is in the dump.
    while IFS= read -r table; do
        cut -f 1 "$work/rows" | grep -qFx -- "$table" || fail "the table $table is missing in the dump"
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

# Fills a second database, and exchanges the tables by one atomic statement.
restore() {
    new="${database}_fabrs_new" old="${database}_fabrs_old"
    others=$(list "$database" others)
    [ -z "$others" ] || fail "cannot restore $database, which has more than tables: $(echo "$others" | paste -s -d , -)"
    run_mysql -e "DROP DATABASE IF EXISTS \`$new\`; CREATE DATABASE \`$new\`; DROP DATABASE IF EXISTS \`$old\`; CREATE DATABASE \`$old\`"
    { gzip -dc "$snapshot" && printf "SELECT '%s';\n" "$token"; } | run_mysql "$new" > "$work/output"
    [ "$(tail -n 1 "$work/output")" = "$token" ] || fail "could not load $snapshot into $new. The database is unchanged"
    others=$(list "$new" others)
    [ -z "$others" ] || fail "cannot restore this snapshot, which has more than tables: $(echo "$others" | paste -s -d , -)"
    list "$new" tables | while IFS= read -r table; do
        printf "SELECT '%s', COUNT(*) FROM \`%s\`;\n" "$table" "$table"
    done > "$work/count.sql"
    run_mysql "$new" < "$work/count.sql" > "$work/loaded"
    compare_rows "$rows" "$work/loaded" || fail "the row counts of $new differ from $snapshot. The database is unchanged"
    { cat "$work/mask.sql" && printf "\n;SELECT '%s';\n" "$token"; } | run_mysql "$new" > "$work/output"
    [ "$(tail -n 1 "$work/output")" = "$token" ] || fail "the mask SQL failed. The database is unchanged"
    {
        list "$database" tables | while IFS= read -r table; do
            printf '`%s`.`%s` TO `%s`.`%s`\n' "$database" "$table" "$old" "$table"
        done
        list "$new" tables | while IFS= read -r table; do
            printf '`%s`.`%s` TO `%s`.`%s`\n' "$new" "$table" "$database" "$table"
        done
    } > "$work/renames"
    if [ -s "$work/renames" ]; then
        run_mysql -e "SET foreign_key_checks = 0; RENAME TABLE $(paste -s -d , "$work/renames")"
    fi
    run_mysql -e "DROP DATABASE \`$new\`; DROP DATABASE \`$old\`"
    echo "$token"
}
