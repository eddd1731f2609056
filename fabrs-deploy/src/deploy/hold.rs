//! Held releases: built on all hosts, and live on none until they are promoted.

use std::collections::BTreeSet;

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, TaskError, cmd};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::rollout::Rollout;
use crate::outcomes::{all_ok, label};
use crate::release::{FoundRelease, HELD_FILE, HeldMark, ReleaseId, Survey};
use crate::source::Revision;

/// A release built on all hosts, and live on none.
///
/// [`Site::promote`](crate::Site::promote) makes the release live.
/// [`Site::abort`](crate::Site::abort) removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldRelease {
    /// The id of the release.
    pub release: ReleaseId,
    /// The revision of the release.
    pub revision: Revision,
}

/// Marks the built release as held on all hosts.
///
/// # Errors
///
/// As [`Outcomes::all_ok`](fabrs::Outcomes::all_ok).
pub(super) async fn mark(rollout: &Rollout<'_>) -> Result<(), TaskError> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let phase = hosts.phase("hold", hosts.group.connections());
    rollout.set_phase("hold");
    let mark = HeldMark::new(target.by.clone()).to_json_line();
    let marked = hosts.group.each(|host| {
        let mark = &mark;
        async move {
            let dir = hosts.layouts.of(&host)?.release(&target.release);
            let line = rollout.under_lock(&host, cmd!("printf '%s\\n' {mark} > {dir}/{HELD_FILE}"))?;
            host.run(line).named(format!("hold release {}", target.release)).await
        }
    });
    all_ok(marked.await)?;
    phase.done("");
    if hosts.client().settings().mode == Mode::Run {
        let text = format!(
            "held: {} as {} on {}: promote the release to make it live, or abort it",
            target.revision,
            target.release,
            label(hosts.group.connections())
        );
        hosts.client().note(None, text);
    }
    Ok(())
}

/// Removes the marks of a promoted release. A failure is a warning: a mark of a live release has no
/// effect.
pub(super) async fn remove_mark(rollout: &Rollout<'_>) {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let removed = hosts.group.each(|host| async move {
        let dir = hosts.layouts.of(&host)?.release(&target.release);
        host.run(cmd!("rm -f {dir}/{HELD_FILE}")).named("remove the mark of the held release").await
    });
    for (host, outcome) in &removed.await {
        if let Some(error) = outcome.error() {
            let text = format!("could not remove the mark of the held release: {}", error.message());
            hosts.client().warn(Some(host), text);
        }
    }
}

/// Chooses the release to promote: the given release, or the latest held release.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if no release is held on all hosts, if the given release is not held, or if
/// a later release is live and no release is given.
pub(super) fn choose(hosts: &ConnectedSite, surveys: &Surveys, given: Option<ReleaseId>) -> Result<ReleaseId, Error> {
    let all: Vec<&Survey> =
        hosts.group.connections().iter().filter_map(Connection::host).filter_map(|host| surveys.get(host)).collect();
    let is_held = |id: &ReleaseId| all.iter().all(|survey| survey.releases.get(id).is_some_and(is_promotable));
    if let Some(given) = given {
        if is_held(&given) {
            return Ok(given);
        }
        let error = Error::new(ErrorKind::Usage, format!("release {given} is not held on all hosts"));
        return Err(error.hint("list the releases of each host with `site.releases(hosts)`"));
    }
    let ids: BTreeSet<&ReleaseId> = all.iter().flat_map(|survey| survey.releases.keys()).collect();
    let is_live_everywhere = |id: &ReleaseId| all.iter().all(|survey| survey.live() == Some(id));
    let Some(latest) = ids.into_iter().rev().find(|id| is_held(id) && !is_live_everywhere(id)) else {
        let error = Error::new(ErrorKind::Usage, "no release is held on all hosts");
        return Err(error.hint("hold a release with `site.deploy(hosts).hold()`"));
    };
    match all.iter().filter_map(|survey| survey.live()).find(|live| *live > latest) {
        None => Ok(latest.clone()),
        Some(live) => {
            let text = format!("the held release {latest} is older than the live release {live}");
            let hint = "remove it with `site.abort(hosts)`, or promote it with `site.promote(hosts).release(id)`";
            Err(Error::new(ErrorKind::Usage, text).hint(hint))
        }
    }
}

/// Returns `true` if a release is held, complete, and not bad.
fn is_promotable(found: &FoundRelease) -> bool {
    found.held.is_some() && found.manifest.is_some() && !found.is_unfinished && found.bad.is_none()
}

#[cfg(test)]
mod tests {
    use fabrs::transport::Fake;
    use fabrs::{Client, Group};

    use super::*;
    use crate::release::{BadMark, CurrentLink, Manifest};
    use crate::run_id::{Operator, RunId};
    use crate::site::Site;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    /// Returns the survey of a host with five releases.
    fn survey(held: &[u32], bad: &[u32], live: u32) -> Survey {
        let found = |last: u32| {
            let revision = Revision::new(last.to_string(), "t");
            let manifest = Manifest::new(id(last), revision, Operator::unknown(), RunId::default());
            let held = held.contains(&last).then(|| HeldMark::new(Operator::unknown()));
            let bad = bad.contains(&last).then(|| BadMark::new(Operator::unknown(), "it was slow"));
            (id(last), FoundRelease { manifest: Some(manifest), held, bad, ..FoundRelease::default() })
        };
        Survey { current: CurrentLink::Release(id(live)), releases: (1..=5).map(found).collect(), ..Survey::default() }
    }

    fn chosen(web1: Survey, web2: Survey, given: Option<u32>) -> Result<ReleaseId, String> {
        let client = Client::builder().dial(Fake::new()).build();
        let group = Group::of(&client, ["web1", "web2"]).unwrap();
        let names: Vec<_> = group.connections().iter().map(|host| host.host().unwrap().clone()).collect();
        let hosts = ConnectedSite::without_survey(Site::new("/srv/shop"), group, client);
        let surveys = names.into_iter().zip([web1, web2]).collect();
        choose(&hosts, &surveys, given.map(id)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_latest_release_held_on_all_hosts_is_promoted() {
        assert_eq!(chosen(survey(&[3, 4, 5], &[], 2), survey(&[3, 4], &[], 2), None), Ok(id(4)));
        assert_eq!(chosen(survey(&[3, 4], &[], 2), survey(&[3, 4], &[], 2), Some(3)), Ok(id(3)));
    }

    #[test]
    fn an_interrupted_promotion_can_be_repeated() {
        assert_eq!(chosen(survey(&[4], &[], 4), survey(&[4], &[], 2), None), Ok(id(4)));
    }

    #[test]
    fn a_bad_a_missing_or_an_overtaken_release_is_not_promoted() {
        let none = Err("no release is held on all hosts".to_owned());
        assert_eq!(chosen(survey(&[4], &[4], 2), survey(&[4], &[], 2), None), none);
        assert_eq!(chosen(survey(&[], &[], 2), survey(&[4], &[], 2), None), none);
        let older = "the held release 20261103140203 is older than the live release 20261103140204";
        assert_eq!(chosen(survey(&[3], &[], 4), survey(&[3], &[], 4), None), Err(older.to_owned()));
        assert_eq!(chosen(survey(&[3], &[], 4), survey(&[3], &[], 4), Some(3)), Ok(id(3)));
    }
}
