//! A value is one word.

use fabrs::prelude::*;

fn main() {
    let x = std::time::Duration::ZERO;
    let _ = cmd!("ls {x}");
}
