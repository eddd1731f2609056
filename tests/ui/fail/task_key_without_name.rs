//! Each item in the parentheses must be a key.
#![allow(unused)]

use fabrs::prelude::*;

#[task("web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
