//! A local task has no connection.

use fabrs::prelude::*;

#[task(local)]
async fn deploy(c: Connection) -> Result {
    Ok(())
}

fn main() {}
