//! A type error in the body causes only the error of rustc.
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
