//! A list needs `...` in its placeholder.

use fabrs::prelude::*;

fn main() {
    let x = vec!["a", "b"];
    let _ = cmd!("ls {x}");
}
