//! Trust in files: owner and write permission.

pub(crate) mod check;
mod private_group;
mod symlinks;
mod users;
