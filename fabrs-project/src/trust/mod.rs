//! File trust: the checks of owners and write permissions.

pub(crate) mod file_trust;
mod private_group;
mod symlinks;
mod users;
