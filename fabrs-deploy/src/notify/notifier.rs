//! Those who are told what came of a deploy.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fabrs::run::effect;
use fabrs::transport::StopLevel;
use fabrs::{Client, Error, ErrorKind, Secret, TaskError};
use futures::future::join_all;
use tokio::time::timeout;

use super::report::DeployReport;

/// How long a notifier may take, before it counts as dead.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(20);

/// What telling a notifier comes to.
pub type NotifyFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>;

/// Somebody who is told what came of each deploy and rollback, also of those that fail.
///
/// A dry run says whom it would tell. A notifier that fails, or takes longer than 20 seconds, is warned of and fails nothing.
pub trait Notifier: Send + Sync + 'static {
    /// Returns who it is, for people: `mail to dev@example.com`.
    fn name(&self) -> String;

    /// Returns what must not be shown, should it fail.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    /// Tells it.
    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture;
}

/// Everybody who is told.
#[derive(Clone, Default)]
pub(crate) struct Notifiers(Vec<Arc<dyn Notifier>>);

impl Notifiers {
    pub(crate) fn push(&mut self, notifier: impl Notifier) {
        self.0.push(Arc::new(notifier));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them at once; who could not be told is warned of.
    pub(crate) async fn notify(&self, client: &Client, report: DeployReport) {
        let report = Arc::new(report);
        for secret in self.0.iter().flat_map(|notifier| notifier.secrets()) {
            client.redact(&secret);
        }
        let all = self.0.iter().map(|notifier| {
            let (name, told) = (notifier.name(), notifier.notify(Arc::clone(&report)));
            async move {
                if let Err(error) = effect(&name, with_timeout(told)).await {
                    client.warn(None, format!("could not be told: {name}: {}", reason(&error)));
                }
            }
        });
        tokio::select! {
            _ = join_all(all) => {}
            _ = client.stop().wait_above(StopLevel::Stop) => {}
        }
    }
}

impl fmt::Debug for Notifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|notifier| notifier.name())).finish()
    }
}

async fn with_timeout(told: NotifyFuture) -> Result<(), TaskError> {
    match timeout(NOTIFY_TIMEOUT, told).await {
        Ok(told) => told,
        Err(_) => Err(TaskError::msg(format!("no answer within {} seconds", NOTIFY_TIMEOUT.as_secs()))),
    }
}

/// Returns all of why it notify_error, in a line.
fn reason(error: &Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        causes.push(source.to_string());
        cause = source.source();
    }
    if causes.is_empty() { error.message().to_owned() } else { causes.join(": ") }
}

/// Makes the error of a notifier that could not be told.
pub(super) fn notify_error(source: impl std::error::Error + Send + Sync + 'static) -> TaskError {
    Error::new(ErrorKind::Task, "could not be told").caused_by(source).into()
}

/// Does what waits on a thread that may.
pub(super) fn run_blocking<E>(work: impl FnOnce() -> Result<(), E> + Send + 'static) -> NotifyFuture
where
    E: std::error::Error + Send + Sync + 'static,
{
    Box::pin(async move { tokio::task::spawn_blocking(work).await.map_err(notify_error)?.map_err(notify_error) })
}
