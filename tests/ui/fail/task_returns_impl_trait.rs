//! A task's value has a name.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> impl Sized {}

fn main() {}
