//! What the files say about a key.

use crate::location::Location;

/// What the files say about the key that a host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeyStatus {
    /// The key is on record for the host.
    Known {
        /// The first line that has it.
        at: Location,
    },
    /// Nothing is on record for the host. `accept-new` may take the key, and `ask` asks.
    Unknown,
    /// Only keys of other types are on record. **To `ssh` this is a changed key**, since whoever stands between could
    /// simply offer another type: with `accept-new` and with `ask`, too, it refuses.
    OtherType {
        /// The type and line of each key on record.
        recorded: Vec<(String, Location)>,
    },
    /// Another key of this type is on record.
    Changed {
        /// The last line that has one.
        at: Location,
        /// The type of the key.
        algorithm: String,
    },
    /// The key was withdrawn, wherever else it may be on record.
    Revoked {
        /// The line that says so.
        at: Location,
    },
}
