//! A value would become part of a variable's name.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo $HOME{x}");
}
