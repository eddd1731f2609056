//! Notifiers: mail, webhook, statsd, Graphite, Sentry and New Relic report each deploy.

mod graphite;
#[cfg(feature = "notify-http")]
mod http;
#[cfg(feature = "notify-mail")]
mod mail;
#[cfg(feature = "notify-http")]
mod new_relic;
mod notifier;
mod report;
#[cfg(feature = "notify-http")]
mod sentry;
#[cfg(feature = "notify-statsd")]
mod statsd;
#[cfg(feature = "notify-http")]
mod webhook;

pub use graphite::Graphite;
#[cfg(feature = "notify-mail")]
pub use mail::Mail;
#[cfg(feature = "notify-http")]
pub use new_relic::NewRelic;
pub use notifier::{Notifier, NotifyFuture};
pub use report::{ChangesSince, DeployAction, DeployOutcome, DeployReport, HostReport};
#[cfg(feature = "notify-http")]
pub use sentry::Sentry;
#[cfg(feature = "notify-statsd")]
pub use statsd::Statsd;
#[cfg(feature = "notify-http")]
pub use webhook::Webhook;

pub(crate) use notifier::Notifiers;
