//! The result of a host key lookup.

use crate::location::Location;

/// The result of a host key lookup in `known_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeyStatus {
    /// The key is recorded for the host.
    Known {
        /// The first line with the key.
        at: Location,
    },
    /// No key is recorded for the host. `accept-new` may accept the key, and `ask` prompts.
    Unknown,
    /// Only keys of other types are recorded. **`ssh` treats this as a changed key**, because an
    /// attacker in the middle could offer another key type. `ssh` rejects the key with `accept-new`
    /// and `ask` too.
    OtherType {
        /// The type and the line of each recorded key.
        recorded: Vec<(String, Location)>,
    },
    /// A different key of the same type is recorded.
    Changed {
        /// The last line with a key of the type.
        at: Location,
        /// The type of the key.
        algorithm: String,
    },
    /// The key is revoked, even if another line records the key.
    Revoked {
        /// The `@revoked` line.
        at: Location,
    },
}
