//! The deploy kit of fabrs: what makes a deploy one that a person trusts.
//!
//! A [`Site`] is a value that says all there is to know of what is deployed: the folder on its hosts, the repository ([`Git`]), and
//! what is done in each phase ([`DeployStep`]s, or parts that the kit knows: [`Python`], [`Django`], [`Systemd`], [`Supervisor`],
//! [`Gunicorn`], [`HealthCheck`]). [`Site::deploy`] puts a build live on a group of hosts, [`Site::rollback`] goes back.
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
//! /// Puts a build live: the last good one, or what you name.
//! #[task(local, defer_approval)]
//! async fn deploy(revision: Option<String>) -> Result {
//!     shop().deploy(on(role("web"))?).revision(revision).await?;
//!     Ok(())
//! }
//!
//! /// Goes back to the release before, or to the one you name.
//! #[task(local, defer_approval)]
//! async fn rollback(release: Option<ReleaseId>) -> Result {
//!     shop().rollback(on(role("web"))?).to(release).await?;
//!     Ok(())
//! }
//! ```
//!
//! | phase | where | what |
//! |---|---|---|
//! | look | all hosts | what is live, what there is, what is missing; one command |
//! | approve | here | what is pending is shown, and asked for in a protected environment |
//! | check | hosts that use it | sudo: see [`Site::validate_sudo`] |
//! | lock | all hosts, or none | `flock`, held by a session of its own; a run that dies lets go |
//! | build | all hosts | fetch, a folder for the release, its links, the steps of [`Site::build`] |
//! | once | the first host, or the first of [`Site::once_on`] | the steps of [`Site::once`]: migrations |
//! | switch | all hosts at once | `current` leads to the release |
//! | take up | batch by batch | the steps of [`Site::restart`], then those of [`Site::health`] |
//! | afterwards | the host of `once` | the steps of [`Site::post_deploy`]: what the old release could not have borne |
//! | clean up | all hosts | old releases, and what only they needed; the tag of the deploy |
//! | notify | here | the notifiers of [`Site::notify`], also of failures |
//!
//! What fails before the switch leaves every host as it was; what fails after it, up to `take up`, is taken back on every host.
//! A host on which the lock is lost is left alone, and named.
//!
//! # Features
//!
//! All features are off by default, so a project compiles only the notifiers that it uses:
//! `fabrs-deploy = { features = ["notify-mail"] }`. Without a feature, [`Graphite::carbon`] and your own
//! [`Notifier`] are available.
//!
//! | feature | notifiers |
//! |---|---|
//! | `notify-http` | `Webhook`, `Sentry`, `NewRelic`, `Graphite::event` |
//! | `notify-mail` | `Mail` |
//! | `notify-statsd` | `Statsd` |
//!
//! # Requirements
//!
//! Hosts need a POSIX shell, GNU or busybox tools (`mv -T`, `flock`, `tar`), and git.

mod database;
mod deploy;
mod django;
mod host_check;
mod maintenance;
mod notify;
mod outcomes;
mod overview;
mod per_host;
mod plugin;
mod python;
mod release;
mod run_id;
mod scope;
mod services;
mod site;
mod source;
mod step;
mod tag;

pub use database::{Snapshot, UnknownMigrations};
pub use deploy::{Deploy, LiveRelease, Rollback};
pub use django::{Django, manage};
#[cfg(feature = "notify-mail")]
pub use notify::Mail;
#[cfg(feature = "notify-statsd")]
pub use notify::Statsd;
pub use notify::{
    ChangesSince, DeployAction, DeployOutcome, DeployReport, Graphite, HostReport, Notifier, NotifyFuture,
};
#[cfg(feature = "notify-http")]
pub use notify::{NewRelic, Sentry, Webhook};
pub use plugin::Plugin;
pub use python::Python;
pub use release::{BadMark, Manifest, ReleaseId};
pub use run_id::{RunId, Who};
pub use scope::HostSubset;
pub use services::{Gunicorn, HealthCheck, Supervisor, Systemd};
pub use site::Site;
pub use source::{Commit, CommitChanges, Git, Revision};
pub use step::{App, DeployStep, StepFuture};
