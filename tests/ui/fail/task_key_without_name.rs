//! What stands in the brackets has a name.

use fabrs::prelude::*;

#[task("web")]
async fn deploy() -> Result {
    Ok(())
}

fn main() {}
