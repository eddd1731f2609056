//! The types of a task's arguments must be known.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: impl ToString) -> Result {
    Ok(())
}

fn main() {}
