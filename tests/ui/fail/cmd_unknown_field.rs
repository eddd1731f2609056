//! The error of an unknown field points to the literal.

use fabrs::prelude::*;

fn main() {
    let x = (1, 2);
    let _ = cmd!("git checkout {x.tag}");
}
