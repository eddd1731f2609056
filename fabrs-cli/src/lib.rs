//! The command line of fabrs: what `fab` and every compiled `tasks.rs` understand, and the launcher between the two.
//!
//! `fab` reads its arguments (`typed`), finds the project's `tasks.rs`, checks that nobody else could have written it
//! (`trust`), compiles it ([`launcher`]) and becomes that tool. The tool reads the same arguments against its tasks
//! (`tool`), plans, runs (`run`) and shows what happens (`show`).

mod basis;
pub mod launcher;

mod core_dumps;
#[cfg(all(feature = "demo", target_os = "linux"))]
mod demo;
#[cfg(not(all(feature = "demo", target_os = "linux")))]
#[path = "no_demo.rs"]
mod demo;
mod early;
mod fab;
mod help;
mod interrupt;
mod open_files;
mod panics;
mod run;
mod show;
mod tool;
mod trust;
mod typed;

pub use fab::fab;
pub use tool::{main, main_with};
