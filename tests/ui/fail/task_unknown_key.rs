//! The error of an unknown key suggests the most similar key.
#![allow(unused)]

use fabrs::prelude::*;

#[task(roles = "web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
