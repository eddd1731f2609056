//! A line break in the value could end the comment.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("ls # {x}");
}
