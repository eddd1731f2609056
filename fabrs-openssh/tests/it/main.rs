//! The promises of the crate, held against the real `ssh` and `ssh-keygen` where they speak of them.

mod append;
mod compare;
mod files;
mod keyring;
mod known_hosts;
mod openssh;
mod panics;
mod random_config;
mod random_known_hosts;
mod random_revoked;
mod resolve;
mod revoked;
mod revoked_text;
mod ssh_config;
