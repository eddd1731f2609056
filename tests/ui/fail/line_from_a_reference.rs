//! Text from elsewhere could be executed.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(tag: String) -> Result {
    run(&tag).await?;
    Ok(())
}

fn main() {}
