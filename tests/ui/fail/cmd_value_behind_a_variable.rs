//! A value would become part of the name of a variable.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo $HOME{x}");
}
