//! A task is a function.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
struct Deploy {
    tag: String,
}

fn main() {}
