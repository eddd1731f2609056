//! A local task has no hosts to limit.
#![allow(unused)]

use fabrs::prelude::*;

#[task(local, rolling = 1)]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
