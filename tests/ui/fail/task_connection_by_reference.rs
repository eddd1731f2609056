//! The connection is taken by value.

use fabrs::prelude::*;

#[task]
async fn deploy(c: &Connection) -> Result {
    Ok(())
}

fn main() {}
