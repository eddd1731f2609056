//! A name that is none is told at the literal.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("git checkout {tag}");
}
