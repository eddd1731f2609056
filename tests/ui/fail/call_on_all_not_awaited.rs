//! A call on all hosts must be awaited.
#![allow(unused)]

use fabrs::prelude::*;

#[task(role = "web")]
async fn deploy() -> Result {
    Ok(())
}

#[task(local)]
async fn release() -> Result {
    deploy::call().all()?;
    Ok(())
}

fn main() {}
