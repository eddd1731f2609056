//! A task's name is taken among the types, too.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> Result {
    Ok(())
}

mod deploy {}

fn main() {}
