//! The contained SSH host behind `-H @demo`: somebody's first try with no host at all.
//!
//! ```no_run
//! use fabrs_demo::Demo;
//!
//! fn main() -> std::process::ExitCode {
//!     // First of all: this program is started again for each part of a demo.
//!     if let Some(code) = fabrs_demo::run_helper() {
//!         return code;
//!     }
//!     let demo = Demo::builder(["demo"]).start().expect("namespaces are allowed here");
//!     println!("ssh -F {} demo", demo.ssh_config().display());
//!     // …
//!     std::process::ExitCode::SUCCESS
//! }
//! ```
//!
//! # What a host is
//!
//! A few processes in namespaces of their own (user, mount, process, IPC, name), which Linux gives to plain users too.
//! Its root is made in memory: the machine's programs are there **read-only** (so nothing can be installed into `/usr`),
//! `/etc` is a copy, all else is fresh. Nothing that runs there is anybody outside: its root is a user id that the
//! machine gives to nobody, where the machine has such ids for the user (to root always, to others by `newuidmap`);
//! elsewhere its only user is root, who is the one who started it outside. `sudo` is a stand-in that lets the account do
//! everything and asks for nothing. **Its network is the machine's**: what listens on loopback can be reached, ports
//! below 1024 can't be taken. No service manager runs there, and nothing is forwarded.
//!
//! A host ends with the [`Demo`], or with the program however it ends: nothing is left, and there is nothing to clean up.
//! Where a machine refuses namespaces, a demo refuses to start: it never runs uncontained.

#![cfg(target_os = "linux")]

mod demo;
mod dial;
mod helper;
mod host;
mod host_names;
mod memory_file;
mod passwd;
mod protocol;
mod root;
mod serve;
mod sftp;
mod step_error;
mod user_mapping;

pub use demo::{Demo, DemoBuilder};
pub use dial::DemoDial;
pub use helper::run_helper;
pub use host_names::parse_hosts;
