//! A secret is in no line.

use fabrs::prelude::*;

fn main() {
    let token = Secret::new("a secret");
    let _ = cmd!("login {token}");
}
