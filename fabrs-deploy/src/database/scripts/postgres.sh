# PostgreSQL. The host, port and user are in variables of libpq.

connect() {
    export PGPASSFILE="$work/credentials" PGDATABASE="$database" PGCONNECT_TIMEOUT=30
    for program in psql pg_dump pg_restore; do
        command -v "$program" > /dev/null || fail "$program is not installed"
    done
}

run_psql() {
    psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 "$@"
}

check() {
    run_psql --command='SELECT 1' > /dev/null
}

# Writes $work/dump and $work/rows. One transaction, so both see the same data.
dump() {
    FABRS_DUMP=$work/dump
    export FABRS_DUMP
    run_psql --no-align --tuples-only --field-separator="$tab" --output="$work/rows" << 'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_catalog.pg_export_snapshot() AS snapshot \gset
\setenv FABRS_SNAPSHOT :snapshot
\! pg_dump --format=custom --no-password --snapshot="$FABRS_SNAPSHOT" --file="$FABRS_DUMP" && : > "$FABRS_DUMP.complete"
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 \gexec
COMMIT;
SQL
    [ -e "$work/dump.complete" ] || fail "pg_dump failed"
}

# Prints the number of rows of each table in the dump $1. Reads and decompresses all data.
count_rows() {
    { pg_restore --data-only --file=- "$1" && echo '-- end of the dump'; } | awk '
        table != "" && $0 == "\\." { print table "\t" rows; table = ""; next }
        table != "" { rows++; next }
        /^COPY .* FROM stdin;$/ {
            table = $0; rows = 0
            sub(/^COPY /, "", table); sub(/ \(.*\) FROM stdin;$/, "", table); sub(/ +FROM stdin;$/, "", table)
        }
        $0 == "-- end of the dump" { complete = 1 }
        END { exit !complete }
    '
}

# Replaces all objects of the database in one transaction.
restore() {
    # Only the owner of an extension may comment on it.
    pg_restore --list "$snapshot" > "$work/list"
    sed -i '/ COMMENT - EXTENSION /d' "$work/list"
    # Without the last lines, psql reads the end of its input, and the server rolls back.
    {
        echo 'BEGIN;' && write_connection_check && write_removal &&
            pg_restore --no-owner --no-privileges --use-list="$work/list" --file=- "$snapshot" &&
            echo 'RESET ALL;' && write_connection_check && write_row_checks && cat "$work/mask.sql" && write_commit
    } | run_psql > "$work/output"
    tail -n 1 "$work/output" | grep -Fx -- "$token" || fail "could not restore $snapshot, see the error above. The database is unchanged"
}

# Writes SQL that ends a statement after the loss of the client. Otherwise the server keeps the locks
# of the transaction until the end of the statement. Servers before PostgreSQL 14, and on some
# systems, have no such setting.
write_connection_check() {
    cat << 'SQL'
DO $fabrs$ BEGIN
    PERFORM pg_catalog.set_config('client_connection_check_interval', '5s', true);
EXCEPTION WHEN OTHERS THEN NULL;
END $fabrs$;
SQL
}

# Writes the end of the transaction. Materialized views may have copies of values changed by the mask.
write_commit() {
    cat << 'SQL'

;
DO $fabrs$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY(
        SELECT format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid)
    LOOP
        EXECUTE command;
    END LOOP;
END $fabrs$;
COMMIT;
SQL
    printf '\\echo %s\n' "$token"
}

# Writes SQL that removes all objects, except those of extensions.
write_removal() {
    cat << 'SQL'
SET LOCAL lock_timeout = '60s';
SET LOCAL client_min_messages = warning;
DO $fabrs$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY(
        SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_catalog.pg_namespace n
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extnamespace = n.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'))
    LOOP
        EXECUTE command;
    END LOOP;
    FOREACH command IN ARRAY ARRAY(
        SELECT format('DROP %s IF EXISTS %I.%I CASCADE',
            CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i')))
    LOOP
        EXECUTE command;
    END LOOP;
    FOREACH command IN ARRAY ARRAY(
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')))
    LOOP
        EXECUTE command;
    END LOOP;
    FOREACH command IN ARRAY ARRAY(
        SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, t.typname)
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'r') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i')))
    LOOP
        EXECUTE command;
    END LOOP;
END $fabrs$;
SQL
}

# Writes SQL that fails if a table has not as many rows as the snapshot.
write_row_checks() {
    awk -F "$tab" '{
        text = $1; gsub("'\''", "'\'\''", text)
        printf "DO $fabrs$ BEGIN IF (SELECT count(*) FROM ONLY %s) <> %s THEN ", $1, $2
        printf "RAISE EXCEPTION USING MESSAGE = '\''the table %s does not have %s rows'\''; ", text, $2
        print "END IF; END $fabrs$;"
    }' "$rows"
}
