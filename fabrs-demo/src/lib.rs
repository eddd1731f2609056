//! Contained SSH hosts for `-H @demo`: a first try of fabrs without a real host.
//!
//! ```no_run
//! use fabrs_demo::Demo;
//!
//! fn main() -> std::process::ExitCode {
//!     // First of all: the program is started again for each helper process of a demo.
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
//! A host is a group of processes in their own user, mount, PID, IPC and UTS namespaces. Linux
//! offers these namespaces to plain users, too. If the machine refuses namespaces, the start of a
//! demo fails. A demo never runs without containment.
//!
//! - **Files.** The root is in memory. The programs of the machine are **read-only**, so `/usr`
//!   accepts no installation. `/etc` is a copy, and all other directories are fresh.
//! - **Users.** Root of a host has an unused user ID outside. Root of the machine always has such
//!   IDs, a plain user gets them by `newuidmap`. Without such IDs, the only user of the host is
//!   root, mapped to the user who started the demo.
//! - **sudo.** A replacement of `sudo` allows all commands to the account without a password.
//! - **Network.** **The network is shared with the machine.** Commands can reach services on
//!   loopback, but cannot listen on ports below 1024. The server rejects forwarding.
//! - **Services.** A host has no service manager.
//!
//! # End of a host
//!
//! A host ends with its [`Demo`], or with the program, even after `SIGKILL`. No process, mount or
//! file is left.

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
