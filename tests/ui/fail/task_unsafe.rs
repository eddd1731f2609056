//! A task must be safe to call.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
unsafe fn deploy() -> Result {
    Ok(())
}

fn main() {}
