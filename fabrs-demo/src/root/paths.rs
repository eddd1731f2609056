//! Paths inside a host.

/// This program, inside a host.
pub(crate) const PROGRAM: &str = "/run/fabrs-demo/host";
/// The folder of `sudo`, first in every `PATH`: where the machine has none, there is no place for one in `/usr/bin`.
pub(crate) const BIN: &str = "/run/fabrs-demo/bin";
