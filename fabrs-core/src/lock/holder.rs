//! [`LockHolder`]: the user, the machine and the purpose of the run holding a lock.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::config::Operator;
use crate::error::Result;
use crate::transport::random_token;

/// The holder of a lock: the content of the lock file on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LockHolder {
    /// The user and the machine of the run.
    pub by: Operator,
    /// The start time: RFC 3339, UTC, by the clock of the run's machine.
    pub since: String,
    /// The purpose: `deploy of deployable-314`.
    #[serde(rename = "what")]
    pub purpose: String,
    /// The token of the run, compared before each change of the host.
    #[serde(default)]
    pub(super) token: String,
}

impl LockHolder {
    /// Returns a holder for this run, with a new token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if the system has no random bytes.
    pub(super) fn new(purpose: &str) -> Result<Self> {
        let since = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Ok(Self { by: Operator::current(), since, purpose: purpose.to_owned(), token: random_token()? })
    }
}

/// Shows `ann@laptop since 2026-11-03T14:02:11Z: deploy of deployable-314`.
impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {}: {}", self.by, self.since, self.purpose)
    }
}
