//! The name of a task is also the name of a type.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> Result {
    Ok(())
}

mod deploy {}

fn main() {}
