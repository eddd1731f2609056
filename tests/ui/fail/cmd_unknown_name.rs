//! The error of an unknown name points to the literal.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("git checkout {tag}");
}
