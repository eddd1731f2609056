//! A shell could execute the content of formatted text.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String) -> Result {
    run(format!("git checkout {tag}")).await?;
    Ok(())
}

fn main() {}
