//! A task is safe to call.

use fabrs::prelude::*;

#[task]
unsafe fn deploy() -> Result {
    Ok(())
}

fn main() {}
