//! A task runs at run time.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
const fn deploy() {}

fn main() {}
