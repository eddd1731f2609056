//! The return type of a task is concrete.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> impl Sized {}

fn main() {}
