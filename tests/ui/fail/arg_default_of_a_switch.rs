//! A switch is on or off.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = 1)] force: bool) -> Result {
    Ok(())
}

fn main() {}
