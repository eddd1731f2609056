//! `cmd!` requires a literal.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!(x);
}
