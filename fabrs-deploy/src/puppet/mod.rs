//! Puppet: manifests of the project, applied to a host without a Puppet server.

mod apply;
mod archive;
mod puppet_log;

pub use apply::Puppet;
