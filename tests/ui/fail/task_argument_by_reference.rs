//! Arguments are taken by value.

use fabrs::prelude::*;

#[task]
async fn deploy(tag: &str) -> Result {
    Ok(())
}

fn main() {}
