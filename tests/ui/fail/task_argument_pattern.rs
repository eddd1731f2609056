//! An argument has a name, which is what is typed.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy((tag, force): (String, bool)) -> Result {
    Ok(())
}

fn main() {}
