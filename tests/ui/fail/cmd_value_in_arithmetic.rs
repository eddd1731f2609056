//! Quoting is unreliable in arithmetic.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo $(({x} + 1))");
}
