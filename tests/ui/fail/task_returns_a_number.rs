//! A task returns `Result` or nothing.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> u32 {
    1
}

fn main() {}
