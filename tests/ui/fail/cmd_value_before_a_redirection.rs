//! A number before a redirection would be a file descriptor.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("echo {x}>log");
}
