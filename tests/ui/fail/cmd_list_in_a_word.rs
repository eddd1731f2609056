//! A list cannot be part of a word.

use fabrs::prelude::*;

fn main() {
    let x = ["a", "b"];
    let _ = cmd!("cp --to={x...}");
}
