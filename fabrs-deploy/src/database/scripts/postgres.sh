# PostgreSQL. The host, port and user are in variables of libpq.

connect() {
    unset PGHOSTADDR PGSERVICE PGPASSWORD PGOPTIONS
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

# Writes $work/dump and $work/rows. One transaction, so both see the same data. Fails for objects that
# a restore cannot remove.
dump() {
    FABRS_DUMP=$work/dump
    export FABRS_DUMP
    run_psql --no-align --tuples-only --field-separator="$tab" --output="$work/rows" << 'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
DO $fabrs$
DECLARE
    objects text;
BEGIN
    SELECT string_agg(DISTINCT o.kind, ', ') INTO objects FROM (
        SELECT 'operators' AS kind, 'pg_operator'::regclass AS class, oid, oprnamespace AS namespace FROM pg_catalog.pg_operator
        UNION ALL SELECT 'operator classes', 'pg_opclass'::regclass, oid, opcnamespace FROM pg_catalog.pg_opclass
        UNION ALL SELECT 'conversions', 'pg_conversion'::regclass, oid, connamespace FROM pg_catalog.pg_conversion
        UNION ALL SELECT 'text search parsers', 'pg_ts_parser'::regclass, oid, prsnamespace FROM pg_catalog.pg_ts_parser
        UNION ALL SELECT 'foreign servers', 'pg_foreign_server'::regclass, oid, NULL FROM pg_catalog.pg_foreign_server
        UNION ALL SELECT 'event triggers', 'pg_event_trigger'::regclass, oid, NULL FROM pg_catalog.pg_event_trigger
    ) o LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
    WHERE (n.nspname IS NULL OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e');
    IF objects IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = 'fabrs cannot restore a database with ' || objects;
    END IF;
END $fabrs$;
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
    # A schema with an extension stays. This part of the dump has no data.
    pg_restore --section=pre-data --no-owner --no-privileges --use-list="$work/list" --file="$work/before.sql" "$snapshot"
    sed -i 's/^CREATE SCHEMA /CREATE SCHEMA IF NOT EXISTS /' "$work/before.sql"
    tag=fabrs_$(printf '%s' "$token" | tr -cd 'a-z0-9')
    # Without the last lines, psql reads the end of its input, and the server rolls back.
    {
        echo 'BEGIN;' && write_settings && write_removal && cat "$work/before.sql" &&
            pg_restore --section=data --no-owner --no-privileges --use-list="$work/list" --file=- "$snapshot" &&
            pg_restore --section=post-data --no-owner --no-privileges --use-list="$work/list" --file=- "$snapshot" &&
            echo 'RESET ALL;' && write_settings && write_row_checks && write_mask && write_commit
    } | run_psql > "$work/output"
    tail -n 1 "$work/output" | grep -Fx -- "$token" || fail "could not restore $snapshot, see the error above. The database is unchanged"
}

# Writes the settings of the transaction. The server ends a statement after the loss of the client.
# Otherwise it keeps the locks of the transaction until the end of the statement. Servers before
# PostgreSQL 14, and on some systems, have no such setting.
write_settings() {
    cat << 'SQL'
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '60s';
SET LOCAL client_min_messages = warning;
DO $fabrs$ BEGIN
    PERFORM pg_catalog.set_config('client_connection_check_interval', '5s', true);
EXCEPTION WHEN OTHERS THEN NULL;
END $fabrs$;
SQL
}

# Writes the mask. Within EXECUTE, the mask can neither end the transaction nor run commands of psql.
write_mask() {
    if grep -q '[^[:space:]]' "$work/mask.sql"; then
        printf 'DO $%s_do$ BEGIN EXECUTE $%s$\n' "$tag" "$tag"
        cat "$work/mask.sql"
        printf '\n$%s$; END $%s_do$;\n' "$tag" "$tag"
    fi
}

# Writes the end of the transaction. Materialized views may have copies of values changed by the mask.
write_commit() {
    cat << 'SQL'
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
CREATE FUNCTION pg_temp.is_of_extension(class oid, object oid) RETURNS boolean LANGUAGE sql AS
    'SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = class AND objid = object AND deptype = ''e'')';
CREATE FUNCTION pg_temp.is_of_system(namespace name) RETURNS boolean LANGUAGE sql AS
    'SELECT namespace ~ ''^pg_'' OR namespace = ''information_schema''';
DO $fabrs$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY
        ARRAY(SELECT format('DROP PUBLICATION IF EXISTS %I', pubname) FROM pg_catalog.pg_publication)
        || ARRAY(SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_catalog.pg_namespace n
            WHERE NOT pg_temp.is_of_system(nspname) AND nspname <> 'public'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extnamespace = n.oid)
            AND NOT pg_temp.is_of_extension('pg_namespace'::regclass, n.oid))
        || ARRAY(SELECT format('DROP %s IF EXISTS %I.%I CASCADE',
                CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, n.nspname, c.relname)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT pg_temp.is_of_system(n.nspname)
            AND NOT pg_temp.is_of_extension('pg_class'::regclass, c.oid)
            AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')))
        || ARRAY(SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE NOT pg_temp.is_of_system(n.nspname) AND NOT pg_temp.is_of_extension('pg_proc'::regclass, p.oid)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i'))
        || ARRAY(SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, t.typname)
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND EXISTS (
                SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            AND NOT pg_temp.is_of_system(n.nspname) AND NOT pg_temp.is_of_extension('pg_type'::regclass, t.oid))
        || ARRAY(SELECT format('DROP TEXT SEARCH CONFIGURATION IF EXISTS %I.%I CASCADE', n.nspname, s.cfgname)
            FROM pg_catalog.pg_ts_config s JOIN pg_catalog.pg_namespace n ON n.oid = s.cfgnamespace
            WHERE NOT pg_temp.is_of_system(n.nspname) AND NOT pg_temp.is_of_extension('pg_ts_config'::regclass, s.oid))
        || ARRAY(SELECT format('DROP TEXT SEARCH DICTIONARY IF EXISTS %I.%I CASCADE', n.nspname, s.dictname)
            FROM pg_catalog.pg_ts_dict s JOIN pg_catalog.pg_namespace n ON n.oid = s.dictnamespace
            WHERE NOT pg_temp.is_of_system(n.nspname) AND NOT pg_temp.is_of_extension('pg_ts_dict'::regclass, s.oid))
        || ARRAY(SELECT format('DROP COLLATION IF EXISTS %I.%I CASCADE', n.nspname, s.collname)
            FROM pg_catalog.pg_collation s JOIN pg_catalog.pg_namespace n ON n.oid = s.collnamespace
            WHERE NOT pg_temp.is_of_system(n.nspname) AND NOT pg_temp.is_of_extension('pg_collation'::regclass, s.oid))
        || ARRAY(SELECT format('SELECT pg_catalog.lo_unlink(%s)', oid) FROM pg_catalog.pg_largeobject_metadata)
    LOOP
        EXECUTE command;
    END LOOP;
END $fabrs$;
DROP FUNCTION pg_temp.is_of_extension, pg_temp.is_of_system;
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
