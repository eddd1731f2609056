//! Arguments are taken by value.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: &str) -> Result {
    Ok(())
}

fn main() {}
