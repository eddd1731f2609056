//! The error type of the result must be an error.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
fn deploy() -> Result<(), String> {
    Ok(())
}

fn main() {}
