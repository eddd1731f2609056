//! [`DataMask`]: SQL that removes personal data from a restored database.

use std::fmt;
use std::sync::Arc;

use fabrs::{Connection, TaskError};
use futures::future::{BoxFuture, FutureExt};

type MaskFunction = dyn Fn(Connection) -> BoxFuture<'static, Result<String, TaskError>> + Send + Sync;

/// SQL that runs on the restored data before other programs can read it.
#[derive(Clone, Default)]
pub(super) enum DataMask {
    /// No decision was made.
    #[default]
    Undecided,
    /// The data stay unchanged.
    Unchanged,
    Sql(String),
    /// Returns the SQL.
    Function(Arc<MaskFunction>),
}

impl DataMask {
    /// Creates a mask from a function that returns SQL.
    pub(super) fn function<F, Fut>(function: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        Self::Function(Arc::new(move |connection| function(connection).boxed()))
    }

    /// Returns the SQL for a host.
    ///
    /// # Errors
    ///
    /// The error of the function.
    pub(super) async fn sql(&self, connection: &Connection) -> Result<String, TaskError> {
        match self {
            Self::Undecided | Self::Unchanged => Ok(String::new()),
            Self::Sql(sql) => Ok(sql.clone()),
            Self::Function(function) => connection.enter(function(connection.clone())).await,
        }
    }
}

impl fmt::Debug for DataMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undecided => "Undecided",
            Self::Unchanged => "Unchanged",
            Self::Sql(_) => "Sql",
            Self::Function(_) => "Function",
        })
    }
}
