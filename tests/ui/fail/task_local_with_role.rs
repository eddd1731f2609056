//! A local task has no hosts.

use fabrs::prelude::*;

#[task(local, role = "web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
