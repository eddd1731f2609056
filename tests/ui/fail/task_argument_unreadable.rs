//! The type of an argument must implement `FromStr`.
#![allow(unused)]

use fabrs::prelude::*;

#[derive(Debug, Clone)]
struct Tag(String);

#[task]
async fn deploy(tag: Tag) -> Result {
    Ok(())
}

fn main() {}
