//! Test harness of fabrs: real servers, network faults, terminals, and a runner for `fab`.
//!
//! The harness does not use fabrs, so no test relies on the tested code for its expectations.
//!
//! | item | purpose |
//! |---|---|
//! | [`Sshd`] | a real OpenSSH server on loopback with its own keys and accounts |
//! | [`SiteHosts`], [`GitServer`] | three servers with a deploy site each, and a git repository |
//! | [`DatabaseServer`] | a real PostgreSQL or MariaDB server on loopback |
//! | [`Dropbear`] | a real dropbear server on loopback |
//! | [`SshAgent`] | a real `ssh-agent` |
//! | [`MachineNetwork`], [`Machine`] | booted Debian machines: reboots, power cuts, packages |
//! | [`faults`] | a network that cuts, stalls, delays or never answers |
//! | [`Fab`] | runs the `fab` binary in a clean environment and checks its complete output |
//! | [`TerminalSession`] | a program on a real terminal, for prompts |
//! | [`SmallDisk`], [`QuotaDir`], [`BindMount`] | file systems for tests |
//! | [`Process`], [`processes_matching`], [`processes_marked_with`] | processes of the machine |
//! | [`Breakpoint`] | pauses a program of a host, for an action between two steps |
//! | [`receivers`] | servers that record mails, HTTP requests and packets |
//! | [`wait_until`] | waits for a condition, the only sleep in tests |
//! | [`probe`] | a program that reports its arguments and environment as JSON |
//!
//! Servers started by root use separate [accounts](Account). The accounts stay on the machine, with
//! a random password readable by root only. A server started by a plain user accepts only this
//! user. Some features are then not testable, see [`Capability`].

mod accounts;
mod banner;
mod breakpoint;
mod capability;
mod database_server;
mod disk;
mod dropbear;
mod fab;
pub mod faults;
mod git_server;
mod keys;
mod login_shell;
mod machine;
pub mod probe;
mod process;
mod pty;
pub mod receivers;
mod site_hosts;
mod ssh_agent;
mod sshd;
mod wait;

pub use accounts::Account;
pub use breakpoint::{Breakpoint, PausedProgram};
pub use capability::{Capability, uv};
pub use database_server::DatabaseServer;
pub use disk::{BindMount, QuotaDir, SmallDisk};
pub use dropbear::{Dropbear, DropbearBuilder};
pub use fab::{Fab, FabOutput, RunningFab, trusted_folders};
pub use git_server::GitServer;
pub use keys::{Key, KeyType};
pub use machine::{Machine, MachineBuilder, MachineNetwork, MachineNetworkBuilder};
pub use process::{Process, marker, processes_marked_with, processes_matching};
pub use pty::TerminalSession;
pub use site_hosts::SiteHosts;
pub use ssh_agent::SshAgent;
pub use sshd::{Sshd, SshdBuilder};
pub use wait::{poll, wait_for, wait_until};
