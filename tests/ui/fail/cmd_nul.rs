//! No shell can be given a NUL byte.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ls \0");
}
