//! A secret cannot be formatted.

use fabrs::prelude::*;

fn main() {
    let token = Secret::new("a secret");
    let _ = format!("login {token}");
}
