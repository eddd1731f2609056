//! Arguments are taken by value, also where they may be left out.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: Option<&str>) -> Result {
    Ok(())
}

fn main() {}
