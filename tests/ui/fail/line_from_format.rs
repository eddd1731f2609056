//! Text that was put together could be executed.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String) -> Result {
    run(format!("git checkout {tag}")).await?;
    Ok(())
}

fn main() {}
