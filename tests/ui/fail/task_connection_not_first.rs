//! The connection must be the first parameter.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String, c: Connection) -> Result {
    Ok(())
}

fn main() {}
