//! One value is no list.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls {x...}");
}
