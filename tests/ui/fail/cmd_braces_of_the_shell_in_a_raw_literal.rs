//! A position in a literal of several lines has a line number.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!(
        r#"
        curl -d '{"tag": 1}' http://localhost
    "#
    );
}
