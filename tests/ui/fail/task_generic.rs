//! The types of a task's arguments must be known.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy<T: ToString>(tag: T) -> Result {
    Ok(())
}

fn main() {}
