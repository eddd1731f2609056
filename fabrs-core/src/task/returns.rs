//! Return types of tasks, and the thread of a plain `fn` task.

use futures::future::{BoxFuture, FutureExt};

use super::panics::catch;
use crate::blocking::on_own_thread;
use crate::connection::current;
use crate::error::{Error, ErrorKind, TaskError};

/// A return type of tasks: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{Self}`",
    label = "not a valid return type of a task",
    note = "a task returns nothing or a `Result`: with the prelude, write `Result` or `Result<T>`"
)]
pub trait TaskReturn {
    /// The value of the task on each host.
    type Value: Send + 'static;

    /// Returns the value or the error.
    ///
    /// # Errors
    ///
    /// The error of the task's body.
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

/// Runs the body of a plain `fn` task on a separate thread, with the connection of the task. The
/// body may block.
///
/// The thread does not belong to the pool of the runtime, so hundreds of tasks leave the pool free
/// for name lookups and file reads. A stop of the run ends the commands of the body. The run then
/// waits for the body, because a thread can't be cancelled.
pub fn blocking<R: TaskReturn + Send + 'static>(
    body: impl FnOnce() -> R + Send + 'static,
) -> BoxFuture<'static, Result<R::Value, TaskError>> {
    let here = current();
    async move {
        let _hold = here.client().map(|client| client.stop().guard());
        let failed = |source| Error::new(ErrorKind::Local, "could not run a thread for the task").caused_by(source);
        on_own_thread("fabrs-task", move || catch(|| here.enter_sync(body))).await.map_err(failed)??.into_result()
    }
    .boxed()
}
