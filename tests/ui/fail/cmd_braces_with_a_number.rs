//! Positional placeholders are not supported.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ls {0}");
}
