//! A mistake in the body is one error, the user's own.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(c: Connection) -> Result {
    c.rum("true").await?;
    Ok(())
}

fn bound() -> Call {
    deploy::call()
}

fn main() {}
