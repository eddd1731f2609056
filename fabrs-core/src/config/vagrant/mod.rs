//! Hosts that come from Vagrant: asked for when one is needed, and remembered.

mod messages;
mod refusal;
pub(super) mod ssh_config_command;
pub(super) mod vagrant;
mod vagrantfile;
