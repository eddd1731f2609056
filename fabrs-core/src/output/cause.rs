//! The error that explains a missing result.

use std::sync::Arc;

/// The error that explains a missing result of a command.
///
/// An [`Error`](crate::Error) without its type: an error can contain an output, so an output that named the type would
/// make a circle of the two modules.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;
