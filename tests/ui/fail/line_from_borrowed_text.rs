//! Only `'static` text converts to a shell line.
#![allow(unused)]

use fabrs::prelude::*;

fn restart(service: &str) -> Command {
    run(service)
}

fn main() {}
