//! The removal of held releases: [`Site::abort`].

use std::fmt::Write as _;

use fabrs::{Connection, Error, ErrorKind, Group, TaskError, cmd};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::lock::{self, LockWait};
use crate::deploy::preflight;
use crate::outcomes::all_ok;
use crate::release::{ReleaseId, Survey};
use crate::site::Site;

impl Site {
    /// Removes the held releases from the hosts of a group. The live release stays.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Removes the held release.
    /// #[task(local, defer_approval)]
    /// async fn abort() -> Result {
    ///     Site::new("/srv/shop").abort(on(role("web"))?).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) if no host has a held release. Nothing was
    ///   changed.
    /// - [`ErrorKind::Task`](fabrs::ErrorKind::Task) if another run holds the lock.
    /// - The errors of a command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases the lock. Some hosts may still have the held releases.
    pub async fn abort(&self, hosts: Group) -> Result<(), TaskError> {
        let (hosts, shown) = ConnectedSite::connect(self.clone(), hosts).await?;
        lock::check_free(&hosts, &shown, LockWait::Default)?;
        let pending = pending_removals(&hosts, &shown);
        if pending.is_empty() {
            let error = Error::new(ErrorKind::Usage, "no host has a held release");
            return Err(error.hint("hold a release with `site.deploy(hosts).hold()`").into());
        }
        hosts.client().approve(&pending).await?;
        let mut lock = hosts.lock_request()?.purpose("removal of the held releases").await?;
        let removed = lock.during(remove_held(&hosts, &shown)).await;
        lock.release().await;
        removed?
    }
}

/// Returns the held releases as text, one line per host.
fn pending_removals(hosts: &ConnectedSite, surveys: &Surveys) -> String {
    let mut text = String::new();
    for host in hosts.group.connections().iter().filter_map(Connection::host) {
        let held: Vec<&str> =
            surveys.get(host).into_iter().flat_map(Survey::held_releases).map(ReleaseId::as_str).collect();
        if !held.is_empty() {
            let label = hosts.label_with_root(host);
            let _ = writeln!(text, "{label}: remove the held release {}", held.join(", "));
        }
    }
    text
}

async fn remove_held(hosts: &ConnectedSite, shown: &Surveys) -> Result<(), TaskError> {
    let before = preflight::survey_again(hosts, shown).await?;
    let removed = hosts.group.each(|host| {
        let survey = host.host().and_then(|name| before.get(name));
        let approved: Vec<&ReleaseId> =
            host.host().and_then(|name| shown.get(name)).into_iter().flat_map(Survey::held_releases).collect();
        let held = survey.into_iter().flat_map(Survey::held_releases).filter(|held| approved.contains(held));
        let held: Vec<String> = held.map(ToString::to_string).collect();
        async move {
            if held.is_empty() {
                return Ok(());
            }
            let root = hosts.layouts.of(&host)?.root();
            // The rename comes first: an interrupted removal must not leave a directory with the
            // name of a release.
            let remove = cmd!("cd {root}/releases && for held in {held...}; do mv \"$held\" \".gone-$held\" || exit; done; rm -rf .gone-*");
            let removed = host.run(remove).named("remove the held releases").await?;
            if removed.was_run() {
                hosts.client().note(host.host(), format!("removed the held release {}", held.join(", ")));
            }
            Ok::<_, Error>(())
        }
    });
    all_ok(removed.await)?;
    Ok(())
}
