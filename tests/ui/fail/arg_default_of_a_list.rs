//! The default of a list is always empty.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = vec![])] tags: Vec<String>) -> Result {
    Ok(())
}

fn main() {}
