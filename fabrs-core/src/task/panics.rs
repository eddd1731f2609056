//! Panics of tasks: caught, and returned as errors.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::{Error, ErrorKind, TaskError};

thread_local! {
    /// True if a panic of this thread is caught and becomes the error of a task.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// The line of the last caught panic, until the error of the panic is made.
    static LINE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Returns true if a panic becomes the error of a task, and records the line of the panic for that
/// error.
///
/// For the panic hook of a program: the run reports such a panic, so the hook prints nothing. A
/// second panic during unwinding ends the process, so the result is false, and the hook has to
/// print the panic. A panic caught by the task itself is not printed.
pub fn is_reported(panic: &PanicHookInfo<'_>) -> bool {
    let line = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    IS_CAUGHT.get() && LINE.with_borrow_mut(|last| std::mem::replace(last, line)).is_none()
}

/// Runs a function. A panic is an error.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, TaskError> {
    LINE.take();
    let is_caught = IS_CAUGHT.replace(true);
    // The task is responsible for its half-made changes.
    let caught = catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(is_caught);
    caught.map_err(|payload| panicked(&*payload))
}

/// Runs a future. A panic is an error.
pub(crate) async fn catch_future<T>(body: impl Future<Output = Result<T, TaskError>>) -> Result<T, TaskError> {
    let mut body = pin!(body);
    std::future::poll_fn(|context| match catch(|| body.as_mut().poll(context)) {
        Ok(poll) => poll,
        Err(error) => Poll::Ready(Err(error)),
    })
    .await
}

/// Returns the error of a panic, with the line if the hook of the program has called
/// [`is_reported`].
fn panicked(payload: &(dyn Any + Send)) -> TaskError {
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let text = text.map_or_else(|| "the task panicked".to_owned(), |text| format!("the task panicked: {text}"));
    let error = Error::new(ErrorKind::Task, text);
    match LINE.take() {
        Some(line) => error.at_panic(&line).into(),
        None => error.into(),
    }
}
