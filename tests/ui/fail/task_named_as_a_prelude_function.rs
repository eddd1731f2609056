//! A task that shadows the prelude would call itself.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn run() -> Result {
    Ok(())
}

fn main() {}
