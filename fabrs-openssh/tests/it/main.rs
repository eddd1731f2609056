//! Integration tests of the crate, mostly comparisons with the real `ssh` and `ssh-keygen`.

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
