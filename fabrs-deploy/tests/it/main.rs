//! The deploy kit on three real servers, each with a user and a folder of its own, and a real git server.

mod approvals;
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
