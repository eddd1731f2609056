//! Notifiers: services that receive the report of each deploy and rollback.

#[cfg(feature = "notify-http")]
mod github_deployments;
#[cfg(feature = "notify-http")]
mod gitlab_deployments;
#[cfg(feature = "notify-http")]
mod grafana;
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
#[cfg(feature = "notify-http")]
mod short_text;
#[cfg(feature = "notify-http")]
mod slack;
#[cfg(feature = "notify-statsd")]
mod statsd;
#[cfg(feature = "notify-http")]
mod webhook;

#[cfg(feature = "notify-http")]
pub use github_deployments::GitHubDeployments;
#[cfg(feature = "notify-http")]
pub use gitlab_deployments::GitLabDeployments;
#[cfg(feature = "notify-http")]
pub use grafana::GrafanaAnnotation;
pub use graphite::Graphite;
#[cfg(feature = "notify-mail")]
pub use mail::Mail;
#[cfg(feature = "notify-http")]
pub use new_relic::NewRelic;
pub use notifier::{Notifier, NotifyFuture};
pub use report::{ChangesSince, DeployAction, DeployOutcome, DeployReport, FlagReport, HostReport};
#[cfg(feature = "notify-http")]
pub use sentry::Sentry;
#[cfg(feature = "notify-http")]
pub use slack::Slack;
#[cfg(feature = "notify-statsd")]
pub use statsd::Statsd;
#[cfg(feature = "notify-http")]
pub use webhook::Webhook;

pub(crate) use notifier::Notifiers;
