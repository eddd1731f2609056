//! Quotes must be balanced.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("echo it's");
}
