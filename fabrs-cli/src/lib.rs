//! The command line of fabrs, shared by `fab` and every compiled `tasks.rs`.
//!
//! `fab` parses its arguments (`arguments`) and finds the project's `tasks.rs`. It checks that no
//! other user can write to the project (`fabrs-project`), compiles the tasks (`fabrs-launcher`) and
//! replaces itself by the compiled tool. The tool parses the same arguments with its tasks
//! (`tool`), plans and runs them (`run`), and displays the events of the run (`display`).

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
