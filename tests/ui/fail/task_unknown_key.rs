//! A key that is none is told with the nearest.
#![allow(unused)]

use fabrs::prelude::*;

#[task(roles = "web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
