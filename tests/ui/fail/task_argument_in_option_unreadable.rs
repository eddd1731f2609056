//! The type in an `Option` must implement `FromStr`.
#![allow(unused)]

use fabrs::prelude::*;

#[derive(Debug, Clone)]
struct Tag(String);

#[task]
async fn deploy(tag: Option<Tag>, all: Vec<String>) -> Result {
    Ok(())
}

fn main() {}
