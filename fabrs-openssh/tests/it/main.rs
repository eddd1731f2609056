//! The promises of the crate, held against the real `ssh` and `ssh-keygen` where they speak of them.

mod append;
mod compare;
mod files;
mod known_hosts;
mod openssh;
mod panics;
mod random_config;
mod random_known_hosts;
mod resolve;
mod ssh_config;
