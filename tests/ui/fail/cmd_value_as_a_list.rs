//! A single value cannot be used as a list.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls {x...}");
}
