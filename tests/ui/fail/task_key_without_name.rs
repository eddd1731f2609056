//! What stands in the brackets has a name.
#![allow(unused)]

use fabrs::prelude::*;

#[task("web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
