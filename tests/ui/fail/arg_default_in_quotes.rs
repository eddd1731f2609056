//! The default of a number is written without quotes.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = "8080")] port: u16) -> Result {
    Ok(())
}

fn main() {}
