//! A shell line cannot contain a NUL byte.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ls \0");
}
