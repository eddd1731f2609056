//! A placeholder needs a name.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!("ls {}");
}
