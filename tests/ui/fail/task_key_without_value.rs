//! A wrong value is told with a right one.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role("web"))]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
