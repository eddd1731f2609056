//! Quotes have no effect in a here-document.

use fabrs::prelude::*;

fn main() {
    let x = "a b";
    let _ = cmd!("cat <<END\n{x}\nEND");
}
