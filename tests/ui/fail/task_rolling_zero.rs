//! Rolling over no hosts would never begin.
#![allow(unused)]

use fabrs::prelude::*;

#[task(rolling = 0)]
async fn deploy() -> Result {
    Ok(())
}

// Other code that knows the task has no further error.
fn bound() -> Call {
    deploy::call()
}

fn main() {}
