//! A task is no method.
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
