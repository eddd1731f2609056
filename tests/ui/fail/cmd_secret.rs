//! A secret cannot be part of a shell line.

use fabrs::prelude::*;

fn main() {
    let token = Secret::new("a secret");
    let _ = cmd!("login {token}");
}
