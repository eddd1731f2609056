//! A task runs when it is called.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
const fn deploy() {}

fn main() {}
