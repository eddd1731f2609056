//! The command line of fabrs: what `fab` and every compiled `tasks.rs` understand.
//!
//! `fab` reads its arguments (`arguments`), finds the project's `tasks.rs`, checks that nobody else could have written it
//! (`fabrs-project`), compiles it (`fabrs-launcher`) and becomes that tool. The tool reads the same arguments against its tasks
//! (`tool`), plans, runs (`run`) and shows what happens (`display`).

mod arguments;
mod core_dumps;
#[cfg(all(feature = "demo", target_os = "linux"))]
mod demo;
#[cfg(not(all(feature = "demo", target_os = "linux")))]
#[path = "demo_disabled.rs"]
mod demo;
mod display;
mod exit;
#[cfg(feature = "launcher")]
mod fab;
mod fingerprint;
mod help;
mod interrupt;
mod open_files;
mod panic_hook;
#[cfg(feature = "launcher")]
mod precompile_check;
mod run;
mod tool;

#[cfg(feature = "launcher")]
pub use fab::fab_main;
pub use tool::{main, main_with};
