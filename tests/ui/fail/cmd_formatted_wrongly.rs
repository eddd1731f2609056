//! A format spec follows the rules of `format!`.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls {x:zz}");
}
