//! A task with its arguments bound.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::Task;
use crate::connection::{Connection, current};
use crate::error::TaskError;

type Body<T> = Arc<dyn Fn(Connection) -> BoxFuture<'static, Result<T, TaskError>> + Send + Sync>;

/// A task with its arguments bound: a value that can be planned, shown, and run on any number of hosts.
///
/// `deploy::call(tag)` makes a typed one; awaiting it runs the task on the connection of the task that awaits.
#[must_use = "a call does nothing until it is awaited or planned"]
pub struct Call<T = ()> {
    task: &'static Task,
    shown: Vec<(&'static str, String)>,
    body: Body<T>,
}

impl<T: Send + 'static> Call<T> {
    /// Binds arguments; `shown` are their names and texts, `body` makes the task's future for a connection.
    pub fn new(
        task: &'static Task,
        shown: Vec<(&'static str, String)>,
        body: impl Fn(Connection) -> BoxFuture<'static, Result<T, TaskError>> + Send + Sync + 'static,
    ) -> Self {
        Self { task, shown, body: Arc::new(body) }
    }

    /// Returns the task.
    pub fn task(&self) -> &'static Task {
        self.task
    }

    /// Returns the arguments as texts, by parameter.
    pub fn arguments(&self) -> &[(&'static str, String)] {
        &self.shown
    }

    /// Runs the task on a connection.
    ///
    /// # Errors
    ///
    /// What the task's body returns.
    pub async fn on(&self, connection: &Connection) -> Result<T, TaskError> {
        let future = connection.enter_sync(|| (self.body)(connection.clone()));
        connection.enter(future).await
    }

    /// Forgets the type of the task's value.
    pub fn erased(self) -> Call<()> {
        let body = self.body;
        let erased: Body<()> = Arc::new(move |connection| {
            let future = body(connection);
            async move { future.await.map(drop) }.boxed()
        });
        Call { task: self.task, shown: self.shown, body: erased }
    }
}

impl<T: Send + 'static> IntoFuture for Call<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        let here = current();
        async move { self.on(&here).await }.boxed()
    }
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self { task: self.task, shown: self.shown.clone(), body: Arc::clone(&self.body) }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("task", &self.task.name).field("arguments", &self.shown).finish_non_exhaustive()
    }
}
