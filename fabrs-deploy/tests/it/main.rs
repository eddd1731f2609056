//! Tests of the deploy kit with three real SSH servers, each with its own user, and a git server.

mod approvals;
mod batches;
mod deploys;
mod forged;
mod ground;
mod interrupted;
mod limits;
mod locks;
#[cfg(all(feature = "notify-http", feature = "notify-mail", feature = "notify-statsd"))]
mod notifications;
mod parts;
mod rollbacks;
mod scopes;
mod sources;
