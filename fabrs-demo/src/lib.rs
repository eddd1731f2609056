//! Contained SSH hosts for `-H @demo`, to try fabrs without a real host.
//!
//! ```no_run
//! use fabrs_demo::Demo;
//!
//! fn main() -> std::process::ExitCode {
//!     // Must come first: a demo starts this program again for each helper process.
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
//! # Containment
//!
//! A host is a group of processes in their own user, mount, PID, IPC and UTS namespaces. On Linux,
//! a plain user can create these namespaces, too. If the machine forbids namespaces, the start of a
//! demo fails. A demo never runs without containment.
//!
//! - **Files.** The root file system is in memory. The programs of the machine are **read-only**,
//!   so no package can be installed in `/usr`. `/etc` is a copy, and all other directories are new.
//! - **Users.** Root of a host has a user ID that is unused on the machine. Root of the machine can
//!   always map such IDs. A plain user needs subordinate IDs, mapped by `newuidmap`. Without such
//!   IDs, root is the only user of the host, mapped to the user who started the demo.
//! - **sudo.** With a replacement for `sudo`, the account can run all commands without a password.
//! - **Network.** **The network is shared with the machine.** Commands can reach services on
//!   loopback, but cannot listen on ports below 1024. The server rejects forwarding.
//! - **Services.** A host has no service manager.
//!
//! # End of a host
//!
//! A host ends with its [`Demo`], or with the program, even after `SIGKILL`. The host leaves no
//! process, mount or file behind.

#![cfg(target_os = "linux")]

mod demo;
mod dialer;
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
pub use dialer::DemoDialer;
pub use helper::run_helper;
pub use host_names::parse_hosts;
