//! Only literals are `'static`, so nothing else is a line.
#![allow(unused)]

use fabrs::prelude::*;

fn restart(service: &str) -> Command {
    run(service)
}

fn main() {}
