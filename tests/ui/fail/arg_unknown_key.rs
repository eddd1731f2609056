//! A key that is none is told with the nearest.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(shrt)] tag: String) -> Result {
    Ok(())
}

fn main() {}
