//! A value could end a comment.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls # {x}");
}
