//! A task runs when it is called.

use fabrs::prelude::*;

#[task]
const fn deploy() {}

fn main() {}
