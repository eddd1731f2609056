//! Telling others what came of a deploy: by mail, webhook, statsd, Graphite, Sentry and New Relic.

mod graphite;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "http")]
mod new_relic;
mod notifier;
mod report;
#[cfg(feature = "http")]
mod sentry;
mod statsd;
#[cfg(feature = "http")]
mod webhook;

pub use graphite::Graphite;
#[cfg(feature = "mail")]
pub use mail::Mail;
#[cfg(feature = "http")]
pub use new_relic::NewRelic;
pub use notifier::{Receiver, ToldFuture};
pub use report::{Happened, News, Since, Stands, Went};
#[cfg(feature = "http")]
pub use sentry::Sentry;
pub use statsd::Statsd;
#[cfg(feature = "http")]
pub use webhook::Webhook;

pub(crate) use notifier::Receivers;
