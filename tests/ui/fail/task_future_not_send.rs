//! The future of a task must be `Send`.
#![allow(unused)]

use fabrs::prelude::*;

#[task]
async fn deploy() -> Result {
    let shared = std::rc::Rc::new(1);
    run("true").await?;
    drop(shared);
    Ok(())
}

fn main() {}
