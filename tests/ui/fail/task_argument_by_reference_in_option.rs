//! A task owns its arguments, also in an `Option`.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: Option<&str>) -> Result {
    Ok(())
}

fn main() {}
