//! A task returns `Result` or nothing.

use fabrs::prelude::*;

#[task]
async fn deploy() -> u32 {
    1
}

fn main() {}
