//! The deploy kit of fabrs: releases, batches, health checks, reverts and rollbacks.
//!
//! A [`Site`] describes an application: the root directory on the hosts, the repository ([`Git`]),
//! and the steps of each phase. Steps are closures ([`DeployStep`]) or plugins: [`Python`],
//! [`Django`], [`Systemd`], [`Supervisor`], [`Gunicorn`]. [`Site::deploy`] makes a build live on a
//! group of hosts. [`Site::rollback`] returns to an earlier release.
//!
//! ```
//! use fabrs::prelude::*;
//! use fabrs_deploy::{Git, HealthCheck, ReleaseId, Site, Systemd};
//!
//! fn shop() -> Site {
//!     Site::new("/srv/shop")
//!         .source(Git::at("https://git.example.com/shop.git"))
//!         .linked_files([".env"])
//!         .build(|_| run("make"))
//!         .with(Systemd::reload("shop"))
//!         .health(HealthCheck::get("http://127.0.0.1:8000/health"))
//! }
//!
//! /// Deploys the last good build, or the given tag, branch or commit.
//! #[task(local, defer_approval)]
//! async fn deploy(revision: Option<String>) -> Result {
//!     shop().deploy(on(role("web"))?).revision(revision).await?;
//!     Ok(())
//! }
//!
//! /// Rolls back to the previous release, or to the given release.
//! #[task(local, defer_approval)]
//! async fn rollback(release: Option<ReleaseId>) -> Result {
//!     shop().rollback(on(role("web"))?).to(release).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Phases of a deploy
//!
//! | phase | hosts | effect |
//! |---|---|---|
//! | survey | all | one command reads the live release, all releases, locks and missing files |
//! | preflight | all | checks space, programs, units, the clock and the database |
//! | approve | this machine | shows the pending changes, and prompts in a protected environment |
//! | check | all, or a subset | checks sudo, for [`Site::validate_sudo`] and [`Systemd`] |
//! | lock | all, or none | `flock` in a separate session; the lock ends with the run |
//! | build | all | fetches the commit, links shared files, runs the steps of [`Site::build`] |
//! | once | the first of [`Site::once_on`] | runs the steps of [`Site::once`]: migrations |
//! | switch | a batch | links `current` to the release |
//! | restart | the batch | runs the steps of [`Site::restart`], then of [`Site::health`] |
//! | confirm | all | ends the watchdogs of [`Site::revert_unless_confirmed`] |
//! | finish | all | runs the steps of [`Site::post_deploy`] once, removes old releases |
//! | notify | this machine | reports to [`Site::notify`], also after a failure |
//!
//! All hosts are one batch, unless [`Site::rolling`] or [`Site::batches`] sets sizes. The next
//! batch begins after the health checks of the previous batch. With [`Site::window`], the next host
//! begins after the health check of any host.
//!
//! [`Site::before`] and [`Site::after`] add hooks to a phase: [`DeployPhase`].
//!
//! # Failures
//!
//! - Before the first switch, a failure changes no live release.
//! - Up to the last health check, a failure reverts all switched hosts. Later batches stay on the
//!   old release.
//! - After the last health check, the new release stays live.
//! - If the run itself is cut off, each host keeps its release, or reverts by itself with
//!   [`Site::revert_unless_confirmed`].
//! - If the lock of a host is lost, the run no longer changes this host. The error names the host.
//!
//! # Features
//!
//! All features are off by default, so a project compiles only the parts that it uses:
//! `fabrs-deploy = { features = ["notify-mail"] }`. Without a feature, [`Graphite::carbon`] and
//! your own [`Notifier`] are available.
//!
//! | feature | notifiers and gates |
//! |---|---|
//! | `gate-json` | `JsonQuery` |
//! | `notify-http` | `Webhook`, `Slack`, `Sentry`, `NewRelic`, `Graphite::event` |
//! | `notify-http` | `GitHubDeployments`, `GitLabDeployments`, `GrafanaAnnotation` |
//! | `notify-mail` | `Mail` |
//! | `notify-statsd` | `Statsd` |
//!
//! # Requirements
//!
//! Hosts need a POSIX shell, GNU or busybox tools (`mv -T`, `flock`, `tar`), and git.

mod balancer;
mod database;
mod deploy;
mod django;
mod gates;
mod hooks;
mod host_check;
mod json_document;
mod last_line;
mod maintenance;
mod notify;
mod outcomes;
mod overview;
mod per_host;
mod pipeline;
mod plugin;
mod provision;
mod puppet;
mod python;
mod release;
mod remote_script;
mod requirement;
mod restart_command;
mod revert_limit;
mod rollout_order;
mod run_id;
mod scope;
mod service_log;
mod services;
mod site;
mod site_balancer;
mod site_batches;
mod site_hooks;
mod site_rules;
mod site_steps;
mod site_strategy;
mod source;
mod step;
mod strategy;
mod table;
mod tag;
mod waffle;
mod whole_seconds;

pub use balancer::{Balancer, BalancerFuture, BalancerServer, HaProxy, NginxUpstream, ServerHealth, ServerState};
pub use database::{
    Database, DatabaseCopyRequest, DatabaseRestoreRequest, HostDatabase, Snapshot, SnapshotContent, UnknownMigrations,
};
pub use deploy::{Deploy, HeldRelease, LiveMigrations, LiveRelease, Promote, Rollback};
pub use django::{Django, manage};
#[cfg(feature = "gate-json")]
pub use gates::JsonQuery;
pub use gates::{CommandGate, Gate, GateFuture, HttpGate, LogErrors, Measurement, MuninValue, Verdict, WatchedHost};
pub use hooks::DeployPhase;
#[cfg(feature = "notify-mail")]
pub use notify::Mail;
#[cfg(feature = "notify-statsd")]
pub use notify::Statsd;
pub use notify::{
    ChangesSince, DeployAction, DeployOutcome, DeployReport, FlagReport, Graphite, HostReport, Notifier, NotifyFuture,
};
#[cfg(feature = "notify-http")]
pub use notify::{GitHubDeployments, GitLabDeployments, GrafanaAnnotation, NewRelic, Sentry, Slack, Webhook};
pub use overview::{ActiveRun, HostStatus, ListedRelease, ReleaseList, SiteStats, SiteStatus};
pub use pipeline::{CommitStages, Pipeline, PipelineStage, PipelineStatus, StageOutput, StageRecord, StageResult};
pub use plugin::Plugin;
pub use provision::{
    AuthorizedKey, CronJob, EnsureRequest, GroupAccount, Packages, Provision, RebootRequest, Resource, ResourceChanges,
    Service, Timer, UserAccount,
};
pub use puppet::Puppet;
pub use python::Python;
pub use release::{BadMark, BlueGreenSide, HeldMark, HostRevert, HostRevertState, Manifest, ReleaseId};
pub use restart_command::RestartCommand;
pub use run_id::{Operator, RunId};
pub use scope::HostSubset;
pub use service_log::ServiceLog;
pub use services::{Gunicorn, HealthCheck, Supervisor, Systemd};
pub use site::Site;
pub use source::{Commit, CommitChanges, Git, Revision};
pub use step::{App, DeployStep, StepFuture};
pub use strategy::{BlueGreen, Canary, DeployStrategy};
pub use waffle::{
    FlagAudience, FlagRules, FlagState, HostWaffle, SampleState, SwitchState, Waffle, WaffleFlag, WaffleList,
    WaffleSample, WaffleSwitch,
};
