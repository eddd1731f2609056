//! Braces of the shell must be doubled.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ps | awk '{print $1}'");
}
