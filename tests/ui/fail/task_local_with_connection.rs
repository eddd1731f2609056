//! A local task has no connection.
#![allow(unused)]

use fabrs::prelude::*;

#[task(local)]
async fn deploy(c: Connection) -> Result {
    Ok(())
}

fn main() {}
