//! A value must convert to a single word.

use fabrs::prelude::*;

fn main() {
    let x = std::time::Duration::ZERO;
    let _ = cmd!("ls {x}");
}
