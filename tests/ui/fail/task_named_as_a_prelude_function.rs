//! A task named like a prelude function would call itself.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn run() -> Result {
    Ok(())
}

fn main() {}
