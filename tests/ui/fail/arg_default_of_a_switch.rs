//! The default of a switch is `true` or `false`.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = 1)] force: bool) -> Result {
    Ok(())
}

fn main() {}
