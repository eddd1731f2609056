//! Paths of the helper program inside a host.

/// The program of the helper processes.
pub(crate) const PROGRAM: &str = "/run/fabrs-demo/host";
/// The directory of the `sudo` replacement, first in each `PATH`. Mounting over `/usr/bin/sudo` is
/// not sufficient, because a machine without `sudo` has no such file.
pub(crate) const BIN: &str = "/run/fabrs-demo/bin";
