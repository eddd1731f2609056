//! Plain text is ambiguous: a role or a host.
#![allow(unused)]

use fabrs::prelude::*;

#[task(local)]
async fn orchestrates() -> Result {
    on("web1")?.run("hostname").await.all_ok()?;
    Ok(())
}

fn main() {}
