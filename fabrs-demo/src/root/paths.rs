//! Paths of the helper program inside a host.

/// The helper program.
pub(crate) const PROGRAM: &str = "/run/fabrs-demo/host";
/// The directory of the `sudo` replacement, first in each `PATH`. A machine without `sudo` has no
/// file `/usr/bin/sudo` to mount over.
pub(crate) const BIN: &str = "/run/fabrs-demo/bin";
