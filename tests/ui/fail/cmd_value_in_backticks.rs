//! Quoting is unreliable in backticks.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo `basename {x}`");
}
