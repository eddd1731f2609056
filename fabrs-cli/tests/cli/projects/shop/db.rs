//! Tasks for the database.

use fabrs::prelude::*;

/// Saves the database.
#[task(role = "db", alias = "save")]
async fn backup() -> Result {
    run("echo saved").await?;
    Ok(())
}
