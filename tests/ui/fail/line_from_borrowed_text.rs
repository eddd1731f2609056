//! Only literals are `'static`, so nothing else is a line.

use fabrs::prelude::*;

fn restart(service: &str) -> Command {
    run(service)
}

fn main() {}
