//! The login of a connection.

use crate::passwd::Account;
use crate::protocol::Users;

/// What every session of a connection knows.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) account: Account,
    pub(super) users: Users,
    /// As in `SSH_CONNECTION`: the client's address and port, ours and our port.
    pub(super) ends: String,
}
