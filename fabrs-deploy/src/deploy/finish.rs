//! What is left to do when a release is live: nothing of it can take the deploy back any more.

use fabrs::{Connection, Error, TaskError, cmd};

use super::begin::Coming;
use super::site_hosts::SiteHosts;
use crate::release::{BAD_FILE, FoundRelease, ReleaseId, Survey};
use crate::source::Git;
use crate::step::LiveApp;

/// Does what had to wait for the release, removes old ones, and leaves the tag of the deploy.
///
/// # Errors
///
/// Those of what had to wait: the release stays live. What else fails is warned of.
pub(super) async fn finish(fleet: &SiteHosts, coming: &Coming, source: &Git) -> Result<(), TaskError> {
    fleet.phase("finish");
    let waited = fleet.run_once(&fleet.site.post_deploy, &coming.release, LiveApp::None).await;
    waited.map_err(|error| error.context(format!("{} is live, and stays, but is not finished", coming.release)))?;
    let cleaned = fleet.hosts.each(|host| clean(fleet, coming, host)).await;
    for (host, outcome) in &cleaned {
        if let Some(error) = outcome.error() {
            fleet.client().warn(Some(host), format!("old releases are not removed: {}", error.message()));
        }
    }
    if let Err(error) = tag(fleet, coming, source).await {
        fleet.client().warn(error.host(), format!("the deploy has no tag in the repository: {}", error.message()));
    }
    Ok(())
}

async fn tag(fleet: &SiteHosts, coming: &Coming, source: &Git) -> Result<(), Error> {
    let environment = fleet.client().inventory().environment().map(fabrs::config::Environment::name);
    let Some(tag) = source.deployed_tag(environment, coming.release.as_str()) else { return Ok(()) };
    let host = fleet.first()?;
    source.push_tag(host, fleet.layouts.of(host)?, &coming.revision.commit, &tag).await
}

async fn clean(fleet: &SiteHosts, coming: &Coming, host: Connection) -> Result<(), TaskError> {
    let Some(survey) = coming.before(&host) else { return Ok(()) };
    let old = superfluous(survey, fleet.site.keep_releases.get());
    if !old.is_empty() {
        let root = survey.layout.root();
        host.run(cmd!(
            "cd {root}/releases && for old in {old...}; do mv \"$old\" \".gone-$old\" || exit; done; rm -rf .gone-*"
        ))
        .named("remove old releases")
        .await?;
    }
    // A build that works is not bad, whatever an earlier release of it was.
    let commit = &coming.revision.commit;
    let is_same =
        |found: &FoundRelease| found.manifest.as_ref().is_some_and(|manifest| manifest.revision.commit == *commit);
    let unmarked: Vec<String> = survey
        .releases
        .iter()
        .filter(|(id, found)| found.bad.is_some() && is_same(found) && !old.contains(id))
        .map(|(id, _)| format!("{}/{BAD_FILE}", survey.layout.release(id)))
        .collect();
    if !unmarked.is_empty() {
        host.run(cmd!("rm -f {unmarked...}")).named("clear the bad mark of this build").await?;
    }
    fleet.site.cleanup.run(&fleet.app(&host, &coming.release)?).await
}

/// Returns the releases that are not kept when another has gone live: all that were never finished, the oldest of the good ones,
/// and of the bad ones all but the last.
///
/// The one that was live stays, whatever its age: it is what a rollback goes to. Of what another tool has made, all stays.
fn superfluous(survey: &Survey, keep: usize) -> Vec<&ReleaseId> {
    let was_live = survey.live();
    let (mut unfinished, mut good, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    for (id, found) in survey.releases.iter().rev().filter(|(id, _)| Some(*id) != was_live) {
        match (found.is_unfinished, &found.manifest, &found.bad) {
            (true, _, _) => unfinished.push(id),
            (false, Some(_), None) => good.push(id),
            (false, Some(_), Some(_)) => bad.push(id),
            (false, None, _) => {}
        }
    }
    // The new one is kept, and the one that was live.
    let room = keep.saturating_sub(1 + usize::from(was_live.is_some()));
    unfinished.into_iter().chain(good.into_iter().skip(room)).chain(bad.into_iter().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{CurrentLink, Manifest};
    use crate::run_id::{RunId, Who};
    use crate::source::Revision;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    /// A host with releases; `whole` are ours, `live` is what `current` leads to.
    fn host(whole: &[u32], unfinished: &[u32], foreign: &[u32], live: Option<u32>) -> Survey {
        let mut survey = Survey {
            current: live.map_or(CurrentLink::Missing, |live| CurrentLink::Release(id(live))),
            ..Survey::default()
        };
        for last in whole {
            let manifest = Manifest::new(id(*last), Revision::new("c", "t"), Who::unknown(), RunId::default());
            survey.releases.insert(id(*last), FoundRelease { manifest: Some(manifest), ..FoundRelease::default() });
        }
        for last in unfinished {
            survey.releases.insert(id(*last), FoundRelease { is_unfinished: true, ..FoundRelease::default() });
        }
        for last in foreign {
            survey.releases.insert(id(*last), FoundRelease::default());
        }
        survey
    }

    #[track_caller]
    fn goes(survey: &Survey, keep: usize, expected: &[u32]) {
        let mut goes = superfluous(survey, keep);
        goes.sort();
        assert_eq!(goes, expected.iter().map(|last| id(*last)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }

    #[test]
    fn so_many_stay_with_the_new_one_and_the_oldest_go() {
        goes(&host(&[1, 2, 3, 4, 5], &[], &[], Some(5)), 5, &[1]);
        goes(&host(&[1, 2, 3, 4, 5], &[], &[], Some(5)), 3, &[1, 2, 3]);
        goes(&host(&[1, 2], &[], &[], Some(2)), 5, &[]);
        goes(&host(&[], &[], &[], None), 1, &[]);
    }

    #[test]
    fn what_was_live_stays_also_where_it_is_the_oldest() {
        goes(&host(&[1, 2, 3, 4, 5], &[], &[], Some(1)), 3, &[2, 3, 4]);
        goes(&host(&[1, 2], &[], &[], Some(1)), 1, &[2]);
    }

    #[test]
    fn what_was_never_finished_goes_and_what_another_tool_made_stays() {
        goes(&host(&[2], &[3], &[1], Some(2)), 1, &[3]);
    }

    #[test]
    fn what_was_bad_takes_no_room_of_what_is_good() {
        let mut survey = host(&[1, 2, 3, 4, 5, 6], &[], &[], Some(2));
        for last in [3, 4, 5, 6] {
            if let Some(found) = survey.releases.get_mut(&id(last)) {
                found.bad = Some(crate::release::BadMark::new(Who::unknown(), "it was slow"));
            }
        }
        goes(&survey, 3, &[3, 4, 5]);
    }
}
