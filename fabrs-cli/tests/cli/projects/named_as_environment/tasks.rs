//! A task with the name of an environment.

use fabrs::prelude::*;

/// Goes live.
#[task(local)]
fn live() {}
