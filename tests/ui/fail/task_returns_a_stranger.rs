//! The error of a task's result is an error.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
fn deploy() -> Result<(), String> {
    Ok(())
}

fn main() {}
