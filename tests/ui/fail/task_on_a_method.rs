//! A method cannot be a task.
#![allow(unused)]

use fabrs::prelude::*;

struct App;

impl App {
    #[task]
    async fn deploy(&self) -> Result {
        Ok(())
    }
}

fn main() {}
