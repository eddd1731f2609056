//! The types of task arguments are concrete.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: impl ToString) -> Result {
    Ok(())
}

fn main() {}
