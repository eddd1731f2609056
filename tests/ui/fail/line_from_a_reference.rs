//! A shell could execute text from another source.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String) -> Result {
    run(&tag).await?;
    Ok(())
}

fn main() {}
