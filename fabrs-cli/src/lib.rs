//! The command line of fabrs: what `fab` and every compiled `tasks.rs` understand.
//!
//! `fab` reads its arguments (`typed`), finds the project's `tasks.rs`, checks that nobody else could have written it
//! (`fabrs-project`), compiles it (`fabrs-launcher`) and becomes that tool. The tool reads the same arguments against its tasks
//! (`tool`), plans, runs (`run`) and shows what happens (`show`).

mod basis;

mod core_dumps;
#[cfg(all(feature = "demo", target_os = "linux"))]
mod demo;
#[cfg(not(all(feature = "demo", target_os = "linux")))]
#[path = "no_demo.rs"]
mod demo;
#[cfg(feature = "launcher")]
mod early;
#[cfg(feature = "launcher")]
mod fab;
mod help;
mod interrupt;
mod open_files;
mod panics;
mod run;
mod show;
mod tool;
mod typed;

#[cfg(feature = "launcher")]
pub use fab::fab;
pub use tool::{main, main_with};
