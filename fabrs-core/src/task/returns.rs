//! What a task's function may return, and how a plain one runs.

use futures::future::{BoxFuture, FutureExt};

use crate::connection::current;
use crate::error::TaskError;

/// What a task's function may return: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{Self}`",
    label = "not what a task can return",
    note = "a task returns nothing, or `Result` (of the prelude, `Result<T>` for a value)"
)]
pub trait TaskReturn {
    /// The value that the task has for each host.
    type Value: Send + 'static;

    /// Returns the value, or why there is none.
    ///
    /// # Errors
    ///
    /// What the task's body returned.
    fn into_result(self) -> Result<Self::Value, TaskError>;
}

impl TaskReturn for () {
    type Value = ();

    fn into_result(self) -> Result<(), TaskError> {
        Ok(())
    }
}

impl<T: Send + 'static, E: Into<TaskError>> TaskReturn for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, TaskError> {
        self.map_err(Into::into)
    }
}

/// Runs the body of a plain `fn` task on a thread where it may block, with the connection of the task.
///
/// It is waited for, not cancelled, when the run is stopped; its commands end.
pub fn blocking<R: TaskReturn + Send + 'static>(
    body: impl FnOnce() -> R + Send + 'static,
) -> BoxFuture<'static, Result<R::Value, TaskError>> {
    let here = current();
    async move {
        match tokio::task::spawn_blocking(move || here.enter_sync(body)).await {
            Ok(returned) => returned.into_result(),
            Err(error) => Err(TaskError::from(error).context("the task panicked")),
        }
    }
    .boxed()
}
