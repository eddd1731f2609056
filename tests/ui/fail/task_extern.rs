//! A task is a Rust function.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
extern "C" fn deploy() {}

fn main() {}
