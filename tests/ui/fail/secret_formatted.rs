//! A secret is in no text.

use fabrs::prelude::*;

fn main() {
    let token = Secret::new("a secret");
    let _ = format!("login {token}");
}
