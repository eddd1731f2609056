//! Values have names.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ls {}");
}
