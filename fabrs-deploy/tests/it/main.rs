//! Tests of the deploy kit with three real SSH servers, each with its own user, and a git server.

mod approvals;
mod batches;
mod blue_green;
mod blue_green_faults;
mod databases;
mod deploys;
mod drain_faults;
mod drains;
mod fixture;
mod freezes;
mod gates;
mod haproxy;
mod holds;
mod hooks;
mod host_revert_limits;
mod host_reverts;
mod interrupted;
mod limits;
mod locks;
mod lost_locks;
mod nginx_drains;
#[cfg(all(feature = "notify-http", feature = "notify-mail", feature = "notify-statsd"))]
mod notifications;
#[cfg(all(feature = "notify-http", feature = "notify-mail"))]
mod notifiers;
mod overviews;
mod phases;
mod pipeline_deploys;
mod pipeline_fixture;
mod pipeline_remotes;
mod pipeline_stages;
mod pipeline_work;
mod plugins;
mod preflight;
mod revert_drains;
mod rollbacks;
mod scopes;
mod sources;
mod stats;
mod untrusted_text;
mod waffle;
mod waffle_versions;
mod windows;
