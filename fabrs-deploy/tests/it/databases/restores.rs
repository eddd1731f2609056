//! Snapshots and restores.

use std::fs;

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_testing::DatabaseServer;

use super::fixture::{Databases, EMAIL, names, stderr};

/// Makes a snapshot, changes the database and restores the snapshot.
async fn snapshot_change_and_restore(databases: &Databases, tables: u64, rows: u64) -> Result {
    let expected = (tables, rows);
    let (client, capture) = databases.hosts.client();
    let database = databases.database(&client, 0);
    let customers = databases.query(0, "SELECT * FROM customer ORDER BY id");
    let snapshot = database.snapshot().await?;
    let content = snapshot.content.expect("the snapshot is verified");
    assert_eq!((content.tables, content.rows), expected);
    assert_eq!(content.bytes, fs::metadata(&snapshot.file)?.len());

    databases.query(0, "DELETE FROM customer");
    databases.query(0, "ALTER TABLE visit ADD COLUMN hour INTEGER");
    databases.query(0, "CREATE TABLE newer (id INTEGER)");
    database.restore(&snapshot.file).await?;
    assert_eq!(databases.query(0, "SELECT * FROM customer ORDER BY id"), customers);
    databases.query(0, "INSERT INTO visit VALUES ('monday')");
    databases.query(0, "CREATE TABLE newer (id INTEGER)");

    let listed = database.snapshots().await?;
    assert_eq!(listed.iter().map(|snapshot| &snapshot.file).collect::<Vec<_>>(), [&snapshot.file]);
    let log: String = capture.events().iter().map(ToString::to_string).collect();
    assert!(!log.contains(DatabaseServer::PASSWORD) && !log.contains("not for us") && !log.contains(EMAIL), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_replaces_all_tables_of_postgres() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    databases
        .query(0, "CREATE SCHEMA audit; CREATE TYPE audit.mood AS ENUM ('good'); CREATE VIEW v AS SELECT * FROM visit");
    databases.query(0, "CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id)");
    databases
        .query(0, "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); INSERT INTO part VALUES (1)");
    databases.query(0, "CREATE TYPE pair AS (a int, b int); CREATE COLLATION german (provider = icu, locale = 'de')");
    databases.query(0, "CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple); SELECT lo_from_bytea(42, 'large')");
    databases.query(0, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE ext.t (t ext.citext)");
    databases.query(0, "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s START 7");
    let found = "SELECT 'good'::audit.mood, (SELECT count(*) FROM part_1), ('(1,2)'::pair).b, 'a' < 'b' COLLATE german, \
                 convert_from(lo_get(42), 'UTF8'), one(), to_regclass('v') IS NOT NULL, to_tsvector('plain', 'x'), \
                 (SELECT count(*) FROM ext.t), (SELECT start_value FROM pg_sequences WHERE sequencename = 's')";
    let before = databases.query(0, found);
    snapshot_change_and_restore(&databases, 4, 3).await?;
    assert_eq!(databases.query(0, found), before);
    databases.query(0, "DROP VIEW v");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_replaces_all_tables_of_maria_db() -> Result {
    let Some(databases) = Databases::maria_db() else { return Ok(()) };
    snapshot_change_and_restore(&databases, 2, 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_replaces_all_tables_of_sqlite() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    snapshot_change_and_restore(&databases, 2, 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_objects_that_cannot_be_restored_has_no_snapshot() -> Result {
    let Some(databases) = Databases::maria_db() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    databases.query(0, "CREATE VIEW customers AS SELECT * FROM customer");
    let error = databases.database(&client, 0).snapshot().await.expect_err("a view cannot be restored");
    assert!(stderr(&error).contains("view customers"), "{error:?}");
    assert_eq!(names(&databases.snapshots(0)), Vec::<String>::new());

    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    databases.query(0, "CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)");
    let error = databases.database(&client, 0).snapshot().await.expect_err("an operator cannot be restored");
    assert!(stderr(&error).contains("operators"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_snapshots_are_removed() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    for year in 2001..2004 {
        for suffix in ["", ".rows"] {
            databases.hosts.write(0, &format!("shared/snapshots/shop-{year}0101000000.dump{suffix}"), "");
        }
    }
    databases.hosts.write(0, "shared/snapshots/shop-notes.dump", "");
    let snapshot = databases.database(&client, 0).snapshot().await?;
    let name = snapshot.file.rsplit('/').next().expect("the file has a name");
    let kept =
        ["shop-20030101000000.dump", "shop-20030101000000.dump.rows", name, &format!("{name}.rows"), "shop-notes.dump"];
    assert_eq!(names(&databases.snapshots(0)), kept);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reads_the_url_and_plans_the_snapshot_and_the_restore() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    let (client, capture) = databases.hosts.client_with(|settings| settings.mode(Mode::DryRun));
    let database = databases.database(&client, 0);
    let snapshot = database.snapshot().await?;
    assert_eq!(snapshot.content, None);
    database.restore("/srv/shop.dump").await?;
    let planned: Vec<_> = capture.of_kind("planned").iter().map(|event| event["operation"].to_string()).collect();
    assert!(
        planned[0].starts_with("\"take a snapshot of shop") && planned[1] == "\"restore /srv/shop.dump\"",
        "{planned:?}"
    );
    assert!(!databases.snapshots(0).exists());

    let missing = fabrs_deploy::Database::from_env_file(".env", "OTHER_URL").on(&databases.connect(&client, 0));
    let error = missing.snapshot().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("OTHER_URL in /") && error.to_string().contains("web1"), "{error}");
    Ok(())
}
