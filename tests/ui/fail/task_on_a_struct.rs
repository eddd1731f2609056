//! Only a function can be a task.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
struct Deploy {
    tag: String,
}

fn main() {}
