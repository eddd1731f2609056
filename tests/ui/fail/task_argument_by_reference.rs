//! A task owns its arguments.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: &str) -> Result {
    Ok(())
}

fn main() {}
