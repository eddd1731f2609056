//! The error of a malformed key shows the correct form.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role("web"))]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
