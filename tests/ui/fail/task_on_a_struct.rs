//! A task is a function.

use fabrs::prelude::*;

#[task]
struct Deploy {
    tag: String,
}

fn main() {}
