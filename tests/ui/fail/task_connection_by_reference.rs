//! The connection is taken by value.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(c: &Connection) -> Result {
    Ok(())
}

fn main() {}
