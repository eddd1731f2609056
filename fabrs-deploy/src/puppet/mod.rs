//! Puppet: manifests of the project, applied to hosts with `puppet apply`.

mod apply;
mod archive;
mod puppet_log;

pub use apply::Puppet;
