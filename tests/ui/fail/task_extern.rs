//! A task is a function of Rust.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
extern "C" fn deploy() {}

fn main() {}
