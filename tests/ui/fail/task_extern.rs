//! A task is a function of Rust.

use fabrs::prelude::*;

#[task]
extern "C" fn deploy() {}

fn main() {}
