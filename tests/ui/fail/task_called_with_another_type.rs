//! The arguments of a call have the types of the task.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String) -> Result {
    Ok(())
}

fn bound() -> Call {
    deploy::call(1)
}

fn main() {}
