//! Values stand in the literal.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls {}", x);
}
