//! Braces of the shell are doubled.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ps | awk '{print $1}'");
}
