//! The server names of deployed hosts.

use std::sync::Arc;

use crate::per_host::PerHost;

/// Returns the default server name: the name of the host, without user and port.
pub(super) fn host_name() -> PerHost {
    PerHost::Computed(Arc::new(|host| Ok(host.host().map(|host| host.name().to_owned()).unwrap_or_default())))
}
