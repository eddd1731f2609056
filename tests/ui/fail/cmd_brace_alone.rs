//! A brace of the shell must be doubled.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("f() {{ ls; }");
}
