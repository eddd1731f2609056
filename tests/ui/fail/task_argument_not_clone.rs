//! Each host receives a copy of the arguments.
#![allow(unused)]

use fabrs::prelude::*;

#[derive(Debug)]
struct Tag(String);

impl std::str::FromStr for Tag {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[task]
async fn deploy(tag: Tag) -> Result {
    Ok(())
}

fn main() {}
