//! A default is of the argument's type.

use fabrs::prelude::*;

#[task]
async fn deploy(#[arg(default = "8080")] port: u16, #[arg(default = 1.5)] times: u32) -> Result {
    Ok(())
}

fn main() {}
