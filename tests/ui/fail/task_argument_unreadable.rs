//! An argument can be read from text.
#![allow(unused)]

use fabrs::prelude::*;

#[derive(Debug, Clone)]
struct Tag(String);

#[task]
async fn deploy(tag: Tag) -> Result {
    Ok(())
}

fn main() {}
