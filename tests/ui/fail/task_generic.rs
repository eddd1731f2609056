//! The types of task arguments are concrete.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy<T: ToString>(tag: T) -> Result {
    Ok(())
}

fn main() {}
