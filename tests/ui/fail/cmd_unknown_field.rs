//! A field that is none is told at the literal.

use fabrs::prelude::*;

fn main() {
    let x = (1, 2);
    let _ = cmd!("git checkout {x.tag}");
}
