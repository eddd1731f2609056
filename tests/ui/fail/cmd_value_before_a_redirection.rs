//! A value could become a file descriptor.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo {x}>log");
}
