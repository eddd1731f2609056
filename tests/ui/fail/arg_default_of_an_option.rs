//! An option's default is `None`.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = "v1")] tag: Option<String>) -> Result {
    Ok(())
}

fn main() {}
