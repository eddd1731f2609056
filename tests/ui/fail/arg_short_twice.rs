//! Two arguments cannot share a short option.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(short)] tag: String, #[arg(short)] to: String) -> Result {
    Ok(())
}

fn main() {}
