//! Freeze windows: times without deploys.

mod freeze_window;
mod parse;
#[cfg(test)]
mod tests;

pub use freeze_window::FreezeWindow;
pub use parse::FreezeWindowError;
