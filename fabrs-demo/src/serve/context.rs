//! Data shared by the sessions of a connection.

use crate::passwd::PasswdEntry;
use crate::protocol::UserMapping;

/// The account and the addresses of a connection.
#[derive(Debug, Clone)]
pub(super) struct SessionContext {
    pub(super) account: PasswdEntry,
    pub(super) user_mapping: UserMapping,
    /// The value of `SSH_CONNECTION`: client address, client port, server address, server port.
    pub(super) ssh_connection: String,
}
