//! The connection is the first parameter.

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String, c: Connection) -> Result {
    Ok(())
}

fn main() {}
