//! A local task has no hosts.
#![allow(unused)]

use fabrs::prelude::*;

#[task(local, role = "web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
