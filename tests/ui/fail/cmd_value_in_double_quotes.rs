//! `cmd!` quotes values itself.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo \"-- {x}\"");
}
