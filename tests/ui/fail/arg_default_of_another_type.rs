//! A default has the type of the argument.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = 1.5)] times: u32) -> Result {
    Ok(())
}

fn main() {}
