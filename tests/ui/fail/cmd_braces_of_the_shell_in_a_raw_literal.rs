//! A position is told with its line where there are several.

use fabrs::prelude::*;

fn main() {
    let _ = cmd!(
        r#"
        curl -d '{"tag": 1}' http://localhost
    "#
    );
}
