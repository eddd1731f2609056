//! A number in quotes may be a number of hosts or a percentage.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role = "web", rolling = "25")]
async fn deploy() -> Result {
    Ok(())
}

// Code with a call of the task causes no further error.
fn bound() -> Call {
    deploy::call()
}

fn main() {}
