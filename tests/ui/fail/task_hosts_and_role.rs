//! Hosts are named in one way.
#![allow(unused)]

use fabrs::prelude::*;

#[task(hosts("web1"), role = "web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
