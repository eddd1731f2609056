//! What a run is told before it begins: `fabrs.toml`, the process environment, the hosts that were typed.
//!
//! Called by the command line and by a client; it calls nothing but [`crate::host`] and [`crate::error`]. Files and the
//! process environment are read here, so that everything above works on plain values.

mod choice;
mod document;
mod environment;
mod file;
mod gateway;
mod inventory;
mod near;
mod overrides;
mod process_group;
mod regular_file;
mod selection;
mod settings;
mod sudo_program;
mod typed_hosts;
mod vagrant;
mod variables;
mod vars;
mod who;

pub use choice::Choice;
pub use environment::Environment;
pub use file::Config;
pub use gateway::Gateway;
pub use inventory::Inventory;
pub use near::near;
pub(crate) use process_group::{OwnedGroup, ProcessGroup};
pub use regular_file::{check_regular, read_text};
pub use selection::Selection;
pub use settings::{Consent, Diffs, Input, Mode, OnFailure, Order, PasswordFrom, Settings, SshConfigFrom, Unreachable};
pub use sudo_program::SudoProgram;
pub use typed_hosts::{NamedHosts, excluded_hosts, typed_hosts, typed_hosts_with};
pub use variables::Variables;
pub use vars::Vars;
pub use who::Who;
