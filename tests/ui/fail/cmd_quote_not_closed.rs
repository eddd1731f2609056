//! Quotes are balanced.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("echo it's");
}
