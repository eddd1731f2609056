//! A task receives the connection by value.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(c: &Connection) -> Result {
    Ok(())
}

fn main() {}
