//! A brace of the shell is doubled.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("f() {{ ls; }");
}
