//! A call is checked against the task.
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
