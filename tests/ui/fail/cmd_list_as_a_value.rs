//! A list is written as one.

use fabrs::prelude::*;

fn main() {
    let x = vec!["a", "b"];
    let _ = cmd!("ls {x}");
}
