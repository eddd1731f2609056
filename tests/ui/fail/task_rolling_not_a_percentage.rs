//! A percentage is a whole number before `%`.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role = "web", rolling = "x%")]
async fn deploy() -> Result {
    Ok(())
}

// Code with a call of the task causes no further error.
fn bound() -> Call {
    deploy::call()
}

fn main() {}
