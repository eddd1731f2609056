//! Values are named in the literal, not passed as arguments.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls {}", x);
}
