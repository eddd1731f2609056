//! [`Cause`]: the error that explains a missing result.

use std::sync::Arc;

/// The error that explains a missing result of a command: an [`Error`](crate::Error) without its
/// type.
///
/// An error can contain an output. If an output also contained an `Error`, the two modules would
/// import each other.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;
