//! A task's value has a name.

use fabrs::prelude::*;

#[task]
async fn deploy() -> impl Sized {}

fn main() {}
