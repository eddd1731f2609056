//! An argument that may be left out can be read from text.
#![allow(unused)]

use fabrs::prelude::*;

#[derive(Debug, Clone)]
struct Tag(String);

#[task]
async fn deploy(tag: Option<Tag>, all: Vec<String>) -> Result {
    Ok(())
}

fn main() {}
