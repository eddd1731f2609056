//! Those who are told what came of a deploy.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fabrs::run::effect;
use fabrs::transport::Level;
use fabrs::{Client, Error, ErrorKind, Secret, TaskError};
use futures::future::join_all;
use tokio::time::timeout;

use super::report::News;

/// How long a receiver may take, before it counts as dead.
const PATIENCE: Duration = Duration::from_secs(20);

/// What telling a receiver comes to.
pub type ToldFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>;

/// Somebody who is told what came of each deploy and rollback, also of those that fail.
///
/// A dry run says whom it would tell. A receiver that fails, or takes longer than 20 seconds, is warned of and fails nothing.
pub trait Receiver: Send + Sync + 'static {
    /// Returns who it is, for people: `mail to dev@example.com`.
    fn name(&self) -> String;

    /// Returns what must not be shown, should it fail.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    /// Tells it.
    fn tell(&self, news: Arc<News>) -> ToldFuture;
}

/// Everybody who is told.
#[derive(Clone, Default)]
pub(crate) struct Receivers(Vec<Arc<dyn Receiver>>);

impl Receivers {
    pub(crate) fn push(&mut self, receiver: impl Receiver) {
        self.0.push(Arc::new(receiver));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them at once; who could not be told is warned of.
    pub(crate) async fn tell(&self, client: &Client, news: News) {
        let news = Arc::new(news);
        for secret in self.0.iter().flat_map(|receiver| receiver.secrets()) {
            client.redact(&secret);
        }
        let all = self.0.iter().map(|receiver| {
            let (name, told) = (receiver.name(), receiver.tell(Arc::clone(&news)));
            async move {
                if let Err(error) = effect(&name, in_time(told)).await {
                    client.warn(None, format!("could not be told: {name}: {}", reason(&error)));
                }
            }
        });
        tokio::select! {
            _ = join_all(all) => {}
            _ = client.stop().above(Level::Stop) => {}
        }
    }
}

impl fmt::Debug for Receivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|receiver| receiver.name())).finish()
    }
}

async fn in_time(told: ToldFuture) -> Result<(), TaskError> {
    match timeout(PATIENCE, told).await {
        Ok(told) => told,
        Err(_) => Err(TaskError::msg(format!("no answer within {} seconds", PATIENCE.as_secs()))),
    }
}

/// Returns all of why it failed, in a line.
fn reason(error: &Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        causes.push(source.to_string());
        cause = source.source();
    }
    if causes.is_empty() { error.doing().to_owned() } else { causes.join(": ") }
}

/// Makes the error of a receiver that could not be told.
pub(super) fn failed(source: impl std::error::Error + Send + Sync + 'static) -> TaskError {
    Error::new(ErrorKind::Task, "could not be told").caused_by(source).into()
}

/// Does what waits on a thread that may.
pub(super) fn waiting<E>(work: impl FnOnce() -> Result<(), E> + Send + 'static) -> ToldFuture
where
    E: std::error::Error + Send + Sync + 'static,
{
    Box::pin(async move { tokio::task::spawn_blocking(work).await.map_err(failed)?.map_err(failed) })
}
