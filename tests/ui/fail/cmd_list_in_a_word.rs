//! A list is words of its own.

use fabrs::prelude::*;

fn main() {
    let x = ["a", "b"];
    let _ = cmd!("cp --to={x...}");
}
