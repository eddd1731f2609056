//! A percentage of zero runs nothing.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role = "web", rolling = "0%")]
async fn deploy() -> Result {
    Ok(())
}

// Code with a call of the task causes no further error.
fn bound() -> Call {
    deploy::call()
}

fn main() {}
