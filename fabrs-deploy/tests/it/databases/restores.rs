//! Snapshots and restores.

use std::fs;

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_testing::DatabaseServer;

use super::fixture::{Databases, EMAIL, names, stderr};

/// Makes a snapshot, changes the database and restores the snapshot.
async fn snapshot_change_and_restore(databases: &Databases) -> Result {
    let (client, capture) = databases.hosts.client();
    let database = databases.database(&client, 0);
    let rows = databases.query(0, "SELECT * FROM customer ORDER BY id");
    let snapshot = database.snapshot().await?;
    let content = snapshot.content.expect("the snapshot is verified");
    assert_eq!((content.tables, content.rows), (2, 2));
    assert_eq!(content.bytes, fs::metadata(&snapshot.file)?.len());

    databases.query(0, "DELETE FROM customer");
    databases.query(0, "ALTER TABLE visit ADD COLUMN hour INTEGER");
    databases.query(0, "CREATE TABLE newer (id INTEGER)");
    database.restore(&snapshot.file).await?;
    assert_eq!(databases.query(0, "SELECT * FROM customer ORDER BY id"), rows);
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
    databases.query(0, "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s");
    snapshot_change_and_restore(&databases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_replaces_all_tables_of_maria_db() -> Result {
    let Some(databases) = Databases::maria_db() else { return Ok(()) };
    snapshot_change_and_restore(&databases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_replaces_all_tables_of_sqlite() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    snapshot_change_and_restore(&databases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maria_db_database_with_a_view_is_not_restored() -> Result {
    let Some(databases) = Databases::maria_db() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    let database = databases.database(&client, 0);
    databases.query(0, "CREATE VIEW customers AS SELECT * FROM customer");
    let snapshot = database.snapshot().await?;
    let error = database.restore(&snapshot.file).await.unwrap_err();
    assert!(stderr(&error).contains("view customers"), "{error:?}");
    assert_eq!(databases.count(0, "customers"), "2");
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
