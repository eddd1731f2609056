//! What the tests of fabrs stand on: real servers, faults in the network, terminals, and a runner for `fab`.
//!
//! Nothing here knows fabrs itself, so that a test never asks the code under test whether it was right:
//!
//! * [`Sshd`]: a real OpenSSH server on loopback with keys and accounts of its own;
//! * [`SiteHosts`] and [`GitServer`]: three of them, with a site in the home of each, and the git repository that it comes from;
//! * [`Dropbear`]: a real server that is not OpenSSH's;
//! * [`faults`]: a network that cuts, stalls, delays, or never answers;
//! * [`Fab`]: runs the `fab` binary in a clean environment and compares all that it leaves;
//! * [`Pty`]: a program on a real terminal, for prompts;
//! * [`SmallDisk`], [`QuotaDir`], [`BindMount`]: file systems for a test;
//! * [`Process`], [`processes_matching`], [`processes_carrying`]: what runs on the machine, for "nothing is left";
//! * [`Breakpoint`]: a point at which a program of a host waits, for a test that acts between two steps;
//! * [`receivers`]: servers that take down the mails, requests and packets that they are sent;
//! * [`wait_until`]: the only pause that a test needs;
//! * [`probe`]: a program that says in JSON what reached it.
//!
//! As root the servers get [accounts](Account) of their own, which stay on the machine (their password is random and
//! readable by root only); as a plain user they serve that user, and [`Capability`] says what can not be tested.

mod accounts;
mod breakpoint;
mod capability;
mod disk;
mod dropbear;
mod fab;
pub mod faults;
mod git_server;
mod keys;
mod login_shell;
pub mod probe;
mod process;
mod pty;
pub mod receivers;
mod site_hosts;
mod sshd;
mod wait;

pub use accounts::Account;
pub use breakpoint::{Breakpoint, PausedProgram};
pub use capability::{Capability, uv};
pub use disk::{BindMount, QuotaDir, SmallDisk};
pub use dropbear::{Dropbear, DropbearBuilder};
pub use fab::{Fab, FabOutput, RunningFab, trusted_folders};
pub use git_server::GitServer;
pub use keys::{Key, KeyType};
pub use process::{Process, marker, processes_carrying, processes_matching};
pub use pty::Pty;
pub use site_hosts::SiteHosts;
pub use sshd::{Sshd, SshdBuilder};
pub use wait::{poll, wait_for, wait_until};
