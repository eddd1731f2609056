//! Vagrant machines as hosts, from `vagrant ssh-config`.

mod messages;
pub(super) mod ssh_config_command;
pub(super) mod vagrant;
mod vagrant_error;
pub(super) mod vagrantfile;
