//! The default of an `Option` is always `None`.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = "v1")] tag: Option<String>) -> Result {
    Ok(())
}

fn main() {}
