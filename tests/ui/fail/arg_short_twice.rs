//! A letter stands for one argument.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(short)] tag: String, #[arg(short)] to: String) -> Result {
    Ok(())
}

fn main() {}
