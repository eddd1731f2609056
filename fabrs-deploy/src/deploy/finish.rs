//! What is left to do when a release is live: nothing of it can take the deploy back any more.

use fabrs::{Connection, Error, Outcome, TaskError, cmd};

use super::begin::Coming;
use super::fleet::Fleet;
use crate::release::{ReleaseId, Survey};
use crate::source::Git;

/// Does what had to wait for the release, removes old ones, and leaves the tag of the deploy.
///
/// # Errors
///
/// Those of what had to wait: the release stays live. What else fails is warned of.
pub(super) async fn finish(fleet: &Fleet, coming: &Coming, source: &Git) -> Result<(), TaskError> {
    let app = fleet.app(fleet.first()?, &coming.release)?;
    let waited = fleet.site.afterwards.run(&app).await;
    waited.map_err(|error| error.context(format!("{} is live, and stays, but is not finished", coming.release)))?;
    let cleaned = fleet.hosts.each(|host| clean(fleet, coming, host)).await;
    for (host, outcome) in &cleaned {
        if let Outcome::Failed(error) | Outcome::Lost(error) | Outcome::Cancelled(error) = outcome {
            fleet.client().warn(Some(host), format!("old releases are not removed: {}", error.doing()));
        }
    }
    if let Err(error) = tag(fleet, coming, source).await {
        fleet.client().warn(error.host(), format!("the deploy has no tag in the repository: {}", error.doing()));
    }
    Ok(())
}

async fn tag(fleet: &Fleet, coming: &Coming, source: &Git) -> Result<(), Error> {
    let environment = fleet.client().inventory().environment().map(fabrs::config::Environment::name);
    let tag = source.deployed_tag(environment, coming.release.as_str());
    let host = fleet.first()?;
    source.tag(host, fleet.layouts.of(host)?, &coming.revision.commit, &tag).await
}

async fn clean(fleet: &Fleet, coming: &Coming, host: Connection) -> Result<(), TaskError> {
    let Some(survey) = coming.before(&host) else { return Ok(()) };
    let old: Vec<String> =
        superfluous(survey, fleet.site.keep.get()).into_iter().map(|id| survey.layout.release(id)).collect();
    if !old.is_empty() {
        host.run(cmd!("rm -rf {old...}")).await?;
    }
    fleet.site.cleanup.run(&fleet.app(&host, &coming.release)?).await
}

/// Returns the releases that are not kept when another has gone live: all that were never finished, and the oldest.
///
/// The one that was live stays, whatever its age: it is what a rollback goes to. Of what another tool has made, all stays.
fn superfluous(survey: &Survey, keep: usize) -> Vec<&ReleaseId> {
    let was_live = survey.live();
    let ours = survey.releases.iter().filter(|(id, _)| Some(*id) != was_live);
    let (unfinished, whole): (Vec<_>, Vec<_>) = ours
        .filter(|(_, found)| found.is_unfinished || found.manifest.is_some())
        .partition(|(_, found)| found.is_unfinished);
    // The new one is kept, and the one that was live.
    let room = keep.saturating_sub(1 + usize::from(was_live.is_some()));
    let oldest = whole.iter().rev().skip(room);
    unfinished.iter().chain(oldest).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{Current, Found, Manifest};
    use crate::source::Revision;
    use crate::who::{RunId, Who};

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    /// A host with releases; `whole` are ours, `live` is what `current` leads to.
    fn host(whole: &[u32], unfinished: &[u32], foreign: &[u32], live: Option<u32>) -> Survey {
        let mut survey =
            Survey { current: live.map_or(Current::Nothing, |live| Current::Release(id(live))), ..Survey::default() };
        for last in whole {
            let manifest = Manifest::new(id(*last), Revision::new("c", "t"), Who::unknown(), RunId::default());
            survey.releases.insert(id(*last), Found { manifest: Some(manifest), ..Found::default() });
        }
        for last in unfinished {
            survey.releases.insert(id(*last), Found { is_unfinished: true, ..Found::default() });
        }
        for last in foreign {
            survey.releases.insert(id(*last), Found::default());
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
}
