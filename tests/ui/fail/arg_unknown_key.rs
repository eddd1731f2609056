//! The error of an unknown key suggests the most similar key.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(shrt)] tag: String) -> Result {
    Ok(())
}

fn main() {}
