//! Copies to another environment.

use fabrs::ErrorKind;
use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;

use super::fixture::{Databases, EMAIL, System, names};

const MASK: &str = "UPDATE customer SET email = 'masked' WHERE email IS NOT NULL";

async fn copy_with_mask(databases: &Databases) -> Result {
    let (client, _) = databases.hosts.client();
    let (production, staging) = (databases.database(&client, 0), databases.database(&client, 1));
    let error = staging.copy_from(&production).await.expect_err("the copy has no mask");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");

    let failed = staging.copy_from(&production).mask(format!("{MASK}; SELECT missing FROM customer")).await;
    assert_eq!(failed.expect_err("the mask has an error").kind(), ErrorKind::Exit);
    assert_eq!(databases.count(1, "newer"), "0", "a failed mask keeps the old content");

    let snapshot = staging.copy_from(&production).mask_with(|_| async { Ok(MASK.to_owned()) }).await?;
    assert_eq!(snapshot.content.map(|content| content.rows), Some(2));
    assert_eq!(databases.query(1, "SELECT email FROM customer WHERE id = 1"), "masked");
    assert_eq!(databases.query(0, "SELECT email FROM customer WHERE id = 1"), EMAIL);
    assert_eq!(names(&databases.snapshots(1)), Vec::<String>::new(), "no unmasked data stay on the target");
    match &databases.system {
        System::Server(_) => {}
        System::Sqlite => {
            let file = std::fs::read(databases.shared(1).join("shop_staging.sqlite3"))?;
            let is_readable = file.windows(EMAIL.len()).any(|bytes| bytes == EMAIL.as_bytes());
            assert!(!is_readable, "a free page has the old value");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_postgres_is_masked_and_a_failed_mask_keeps_the_target() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    databases.query(0, "CREATE MATERIALIZED VIEW emails AS SELECT email FROM customer");
    let (client, _) = databases.hosts.client();
    let (production, staging) = (databases.database(&client, 0), databases.database(&client, 1));
    let committed = staging.copy_from(&production).mask("UPDATE customer SET note = ''; COMMIT; SELECT 1").await;
    assert_eq!(committed.expect_err("a mask cannot commit").kind(), ErrorKind::Exit);
    assert_eq!(databases.count(1, "newer"), "0");
    copy_with_mask(&databases).await?;
    assert_eq!(databases.query(1, "SELECT email FROM emails WHERE email IS NOT NULL"), "masked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_maria_db_is_masked_and_a_failed_mask_keeps_the_target() -> Result {
    let Some(databases) = Databases::maria_db() else { return Ok(()) };
    databases.query(0, "CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (p INT REFERENCES parent (id))");
    copy_with_mask(&databases).await?;
    let left = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE '%fabrs%'";
    assert_eq!(databases.query(1, left), "0", "no unmasked data stay on the server");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_sqlite_is_masked_and_a_failed_mask_keeps_the_target() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    copy_with_mask(&databases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_larger_than_one_chunk_is_complete() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let random = (0..10).map(|n| format!("md5(n::text || '{n}')")).collect::<Vec<_>>().join(" || ");
    databases.query(0, &format!("INSERT INTO visit SELECT 'day' FROM generate_series(1, 10); CREATE TABLE large AS SELECT {random} AS text FROM generate_series(1, 80000) n"));
    let (client, _) = databases.hosts.client();
    let (production, staging) = (databases.database(&client, 0), databases.database(&client, 1));
    let snapshot = staging.copy_from(&production).without_mask().await?;
    assert!(snapshot.content.is_some_and(|content| content.bytes > 9 << 20), "{snapshot:?}");
    let sum = "SELECT md5(string_agg(text, '')) FROM large";
    assert_eq!(databases.query(1, sum), databases.query(0, sum));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_into_a_protected_environment_or_into_itself_is_an_error() -> Result {
    let Some(databases) = Databases::sqlite() else { return Ok(()) };
    let toml = "[env.production]\nprotected = true\nhosts = ['web2']\n[env.staging]\nhosts = ['web1']";
    let config = Config::parse(toml, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("staging"))?;
    let (client, _) = databases.hosts.client_of(|settings| settings, |builder| builder.inventory(inventory));
    let (staging, production) = (databases.database(&client, 0), databases.database(&client, 1));
    let error = production.copy_from(&staging).without_mask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("web2") && error.to_string().contains("`production`"), "{error}");

    let error = staging.copy_from(&staging).without_mask().await.unwrap_err();
    assert!(error.to_string().contains("the same database"), "{error}");
    assert_eq!(databases.count(1, "newer"), "0");
    Ok(())
}
