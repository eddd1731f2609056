//! The [`Notifier`] trait, and the notifiers of a site.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fabrs::transport::StopLevel;
use fabrs::{Client, Error, ErrorKind, Secret, TaskError, effect};
use futures::future::{FutureExt, join_all};
use tokio::time::timeout;

use super::report::DeployReport;

/// The time limit of one notification.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(20);

/// The future returned by [`Notifier::notify`].
pub type NotifyFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>;

/// A receiver of the [`DeployReport`] of each deploy and rollback, also of failed deploys. A
/// failure in the checks, the approval or the lock is not reported.
///
/// # Outcomes
///
/// | notifier | live | rolled back | failed | cancelled | held |
/// |---|---|---|---|---|---|
/// | `Mail`, `Webhook` | report | report | report | report | report |
/// | `Slack` | green | yellow | red | grey | blue |
/// | `Statsd` | `deploy.live` | `rollback.live` | `*.failed` | `*.cancelled` | `hold.held` |
/// | `Graphite` | as `Statsd` | as `Statsd` | as `Statsd` | as `Statsd` | as `Statsd` |
/// | `GrafanaAnnotation` | annotation | annotation | annotation | annotation | annotation |
/// | `GitHubDeployments` | `success` | `success` | `failure` | `error` | none |
/// | `GitLabDeployments` | `success` | `success` | `failed` | `canceled` | none |
/// | `Sentry` | release, deploy | deploy | none | none | none |
/// | `NewRelic` | marker | marker | none | none | none |
///
/// A deploy can fail in its last phase, with its release live on all hosts
/// ([`DeployReport::is_live`]). GitHub and GitLab then receive `success`, Sentry receives a release
/// and a deploy, and New Relic receives a marker. The other notifiers report the failure.
///
/// # Failures
///
/// Add a notifier with [`Site::notify`](crate::Site::notify). All notifiers of a site run at the
/// same time. A failed notification, a panic, or a notification of more than 20 seconds causes a
/// warning and never fails the deploy. A dry run prints the name of each notifier and sends
/// nothing.
///
/// ```
/// use std::sync::Arc;
///
/// use fabrs_deploy::{DeployReport, Notifier, NotifyFuture, Site};
///
/// /// Appends the subject of each report to a file.
/// struct Journal(std::path::PathBuf);
///
/// impl Notifier for Journal {
///     fn name(&self) -> String {
///         format!("journal {}", self.0.display())
///     }
///
///     fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
///         let path = self.0.clone();
///         Box::pin(async move {
///             use std::io::Write as _;
///             let mut file = std::fs::File::options().create(true).append(true).open(path)?;
///             writeln!(file, "{}", report.subject())?;
///             Ok(())
///         })
///     }
/// }
///
/// let journal = Journal("/var/log/deploys".into());
/// assert_eq!(journal.name(), "journal /var/log/deploys");
/// let site = Site::new("/srv/shop").notify(journal);
/// # drop(site);
/// ```
pub trait Notifier: Send + Sync + 'static {
    /// Returns the name of the notifier in warnings and plans: `mail to dev@example.com`.
    fn name(&self) -> String;

    /// Returns the secrets of the notifier. fabrs masks these secrets in its output, since an error
    /// of the notifier may contain a secret. Defaults to none.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    /// Sends the report.
    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture;
}

/// The notifiers of a site.
#[derive(Clone, Default)]
pub(crate) struct Notifiers(Vec<Arc<dyn Notifier>>);

impl Notifiers {
    pub(crate) fn push(&mut self, notifier: impl Notifier) {
        self.0.push(Arc::new(notifier));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sends a report through all notifiers at once. Each failure is a warning.
    ///
    /// # Cancel safety
    ///
    /// The first stop of the run does not end the notifications, since a stopped deploy is reported
    /// as well. A second stop ends the notifications.
    pub(crate) async fn notify(&self, client: &Client, report: DeployReport) {
        let report = Arc::new(report);
        for secret in self.0.iter().flat_map(|notifier| caught(|| notifier.secrets()).unwrap_or_default()) {
            client.add_secret(&secret);
        }
        let all = self.0.iter().map(|notifier| {
            let name = caught(|| notifier.name()).unwrap_or_else(|_| "a notifier".to_owned());
            let notified = caught(|| notifier.notify(Arc::clone(&report)));
            async move {
                if let Err(error) = effect(&name, async { with_timeout(notified?).await }).await {
                    client.warn(None, format!("could not notify {name}: {}", causes(&error)));
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

/// Calls the code of a user. A panic is an error, so that the deploy continues.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, TaskError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| panic_error())
}

fn panic_error() -> TaskError {
    TaskError::msg("the notifier panicked")
}

async fn with_timeout(notified: NotifyFuture) -> Result<(), TaskError> {
    match timeout(NOTIFY_TIMEOUT, AssertUnwindSafe(notified).catch_unwind()).await {
        Ok(notified) => notified.unwrap_or_else(|_| Err(panic_error())),
        Err(_) => Err(TaskError::msg(format!("timed out after {} s", NOTIFY_TIMEOUT.as_secs()))),
    }
}

/// Returns all causes of an error in one line. Each text appears once: the errors of some libraries
/// contain the text of their causes.
fn causes(error: &Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let text = source.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        cause = source.source();
    }
    if causes.is_empty() { error.message().to_owned() } else { causes.join(": ") }
}

/// Creates the error of a failed notification.
pub(super) fn notify_error(source: impl std::error::Error + Send + Sync + 'static) -> TaskError {
    Error::new(ErrorKind::Task, "the notification failed").caused_by(source).into()
}

/// Runs blocking work on a thread for blocking calls.
pub(super) fn run_blocking<E>(work: impl FnOnce() -> Result<(), E> + Send + 'static) -> NotifyFuture
where
    E: std::error::Error + Send + Sync + 'static,
{
    Box::pin(async move { tokio::task::spawn_blocking(work).await.map_err(notify_error)?.map_err(notify_error) })
}
