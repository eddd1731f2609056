//! Runs a [`Call`]: a task with bound arguments.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::task_types::{Call, Task, TaskBody};
use crate::config::Selection;
use crate::connection::{Connection, current};
use crate::error::{Error, ErrorKind, TaskError};
use crate::group::{Group, Outcomes};
use crate::lock::{self, Lock};

impl<T: Send + 'static> Call<T> {
    /// Binds arguments to a task. `arguments` has the names and texts of the arguments. `body`
    /// returns the future of the task for a connection.
    pub fn new(
        task: &'static Task,
        arguments: Vec<(&'static str, String)>,
        body: impl Fn(Connection) -> BoxFuture<'static, Result<T, TaskError>> + Send + Sync + 'static,
    ) -> Self {
        Self { task, arguments, body: Arc::new(body) }
    }

    /// Returns the task.
    pub fn task(&self) -> &'static Task {
        self.task
    }

    /// Returns the arguments as texts, with the names of their parameters.
    pub fn arguments(&self) -> &[(&'static str, String)] {
        &self.arguments
    }

    /// Runs the task on `connection`, even if the task declares other hosts.
    ///
    /// # Errors
    ///
    /// The error of the task's body.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task and ends its commands. A lock of the task is released.
    pub async fn on(&self, connection: &Connection) -> Result<T, TaskError> {
        let lock = self.lock(std::slice::from_ref(connection)).await?;
        let connection = connection.in_task(self.task.selection);
        let future = connection.enter_sync(|| (self.body)(connection.clone()));
        let result = tokio::select! {
            // Without the lock, the run must stop: another run may have started.
            lost = lock_lost(&connection) => Err(lost.into()),
            result = connection.enter(future) => result,
        };
        if let Some(lock) = lock {
            lock.release().await;
        }
        result
    }

    /// Acquires the lock of the task on `hosts`, except hosts already locked by the run.
    ///
    /// # Errors
    ///
    /// As a [`LockRequest`](crate::lock::LockRequest).
    pub(crate) async fn lock(&self, hosts: &[Connection]) -> Result<Option<Lock>, Error> {
        match self.task.lock {
            Some(name) => lock::for_task(name, &format!("task {}", self.task.shown_name()), hosts).await,
            None => Ok(None),
        }
    }

    /// Runs the task on all declared hosts, and returns the outcome of each host. Call this method
    /// inside a `#[task(local)]`, to orchestrate other tasks.
    ///
    /// `rolling` of the task and the options `-P`, `--serial` and `--skip-bad-hosts` apply. `-H`
    /// narrows the hosts to the hosts in both lists, and `-x` excludes hosts.
    ///
    /// `deploy::call(tag).all().await?.all_ok()?` fails with the errors of all failed hosts. The
    /// page of `#[task]` has an example.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] outside a run, in a task with a host, and for a `local` task.
    /// [`ErrorKind::NoHost`] if the task has no host, or no declared host is in `-H`. The
    /// [`Outcomes`] have the errors of each host.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands of all hosts.
    #[track_caller]
    pub fn all(self) -> impl Future<Output = Result<Outcomes<T>, Error>> {
        let (here, at) = (current(), Location::caller());
        async move {
            let group = self.group(&here).map_err(|error| error.at(at))?;
            let this = &self;
            let lock = self.lock(group.connections()).await.map_err(|error| error.at(at))?;
            let outcomes = group.each(|connection| async move { this.on(&connection).await }).await;
            if let Some(lock) = lock {
                lock.release().await;
            }
            Ok(outcomes)
        }
    }

    /// Returns the declared hosts of the task as a group.
    fn group(&self, here: &Connection) -> Result<Group, Error> {
        let name = self.task.shown_name();
        let usage = |text| Error::new(ErrorKind::Usage, text);
        let Some(client) = here.client() else {
            return Err(usage(format!("task `{name}` was called outside a run")));
        };
        if here.host().is_some() {
            let text = format!("`.all()` of task `{name}` was called in a task that already runs on each host");
            return Err(usage(text).or_on(here.host()).hint("call the task in a `#[task(local)]`"));
        }
        if self.task.selection == Selection::Local {
            let text = format!("task `{name}` runs on this machine and has no hosts");
            return Err(usage(text).hint(format!("await the call: `{}::call(..).await?`", self.task.name)));
        }
        let hosts = client.inventory().narrowed_hosts(self.task.selection)?;
        let strategy = self.task.strategy(client.settings(), hosts.len());
        Ok(Group::of(&client, hosts)?.with_strategy(strategy))
    }

    /// Returns the connection on which an awaited call runs.
    fn connection_for(&self, here: &Connection) -> Result<Connection, Error> {
        // Without a run, each command of the body returns the error.
        let Some(run) = here.state() else { return Ok(here.clone()) };
        let (declared, name) = (self.task.selection, self.task.name);
        let shown = self.task.shown_name();
        match (declared, here.host()) {
            (Selection::Local, _) => Ok(here.without_host(run.clone())),
            (_, None) => {
                let text = format!("task `{shown}` needs a host, but the calling task has no host");
                let hint = format!("run the task on all of its hosts: `{name}::call(..).all().await?.all_ok()?`");
                Err(Error::new(ErrorKind::Usage, text).hint(hint))
            }
            // The hosts of the caller may come from `-H`.
            (Selection::Inherit, Some(_)) => Ok(here.clone()),
            (declared, Some(_)) if here.declared() == Some(declared) => Ok(here.clone()),
            (declared, Some(host)) => {
                if run.inventory().may_run_on(host, declared)? {
                    return Ok(here.clone());
                }
                let on = match declared.role() {
                    Some(role) => format!("role `{role}`"),
                    None => declared.hosts().join(", "),
                };
                let text = format!("task `{shown}` runs on {on}, not on the host of the calling task");
                let hint = format!("call the task in a `#[task(local)]`: `{name}::call(..).all().await?.all_ok()?`");
                Err(Error::new(ErrorKind::Usage, text).on(host).hint(hint))
            }
        }
    }

    /// Returns the call without the type of the task's value.
    pub fn erased(self) -> Call<()> {
        let body = self.body;
        let erased: TaskBody<()> = Arc::new(move |connection| {
            let future = body(connection);
            async move { future.await.map(drop) }.boxed()
        });
        Call { task: self.task, arguments: self.arguments, body: erased }
    }
}

/// Waits until the run loses a lock on the host of a connection.
async fn lock_lost(connection: &Connection) -> Error {
    match (connection.state(), connection.host()) {
        (Some(run), Some(host)) => run.fences().lost(host).await,
        _ => std::future::pending().await,
    }
}

impl<T: Send + 'static> IntoFuture for Call<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        let (here, at) = (current(), Location::caller());
        async move {
            let connection = self.connection_for(&here).map_err(|error| error.at(at))?;
            self.on(&connection).await
        }
        .boxed()
    }
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self { task: self.task, arguments: self.arguments.clone(), body: Arc::clone(&self.body) }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("task", &self.task.name)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}
