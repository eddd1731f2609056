//! The smallest project: one task.

use fabrs::prelude::*;

/// Says hello from the host.
#[task]
async fn hello() -> Result {
    run("uname -a").await?;
    Ok(())
}
