//! An argument needs a name for the command line.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy((tag, force): (String, bool)) -> Result {
    Ok(())
}

fn main() {}
