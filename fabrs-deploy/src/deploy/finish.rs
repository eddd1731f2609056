//! The last phase of a deploy: post-deploy steps, the removal of old releases, and the tag of the
//! deploy.

use fabrs::config::Environment;
use fabrs::{Connection, Error, TaskError, cmd};

use crate::deploy::hold;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::hooks::DeployPhase;
use crate::outcomes::all_ok;
use crate::release::{BAD_FILE, FoundRelease, ReleaseId, Survey};
use crate::source::Git;
use crate::step::{LiveApp, Steps};

/// Runs the post-deploy steps, removes old releases, and pushes the tag of the deploy, between the
/// hooks of this phase.
///
/// # Errors
///
/// The errors of the post-deploy steps and of the hooks. The release stays live. Failures of the
/// cleanup and the tag are warnings.
pub(super) async fn finish(rollout: &Rollout<'_>, source: &Git) -> Result<(), TaskError> {
    let (hosts, release) = (rollout.hosts, &rollout.target.release);
    let phase = hosts.phase("finish", hosts.group.connections());
    rollout.set_phase("finish");
    if rollout.target.origin == ReleaseOrigin::Held {
        hold::remove_mark(rollout).await;
    }
    let hooks = hosts.site.hooks.of(DeployPhase::Finish);
    run_hooks(rollout, &hooks.before).await?;
    let finished = hosts.run_once(&[&hosts.site.post_deploy], release, LiveApp::None).await;
    finished
        .map_err(|error| error.context(format!("{release} is live, and stays live, but a post-deploy step failed")))?;
    let cleaned = hosts.group.each(|host| clean_up(rollout, host)).await;
    for (host, outcome) in &cleaned {
        if let Some(error) = outcome.error() {
            hosts.client().warn(Some(host), format!("the cleanup after the deploy failed: {}", error.message()));
        }
    }
    if let Err(error) = push_tag(rollout, source).await {
        hosts.client().warn(error.host(), format!("could not push the tag of the deploy: {}", error.message()));
    }
    run_hooks(rollout, &hooks.after).await?;
    phase.done("");
    Ok(())
}

/// Runs hooks on all hosts in parallel.
async fn run_hooks(rollout: &Rollout<'_>, hooks: &Steps) -> Result<(), TaskError> {
    let (hosts, release) = (rollout.hosts, &rollout.target.release);
    let ran = hosts.group.each(|host| async move { hooks.run(&hosts.app(&host, release)?).await });
    all_ok(ran.await).map_err(|error| {
        TaskError::from(error).context(format!("{release} is live, and stays live, but a hook failed"))
    })?;
    Ok(())
}

async fn push_tag(rollout: &Rollout<'_>, source: &Git) -> Result<(), Error> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let environment = hosts.client().inventory().environment().map(Environment::name);
    let Some(tag) = source.deployed_tag(environment, target.release.as_str()) else { return Ok(()) };
    let host = hosts.first()?;
    source.push_tag(host, hosts.layouts.of(host)?, &target.revision.commit, &tag).await
}

async fn clean_up(rollout: &Rollout<'_>, host: Connection) -> Result<(), TaskError> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let Some(survey) = target.before(&host) else { return Ok(()) };
    let old = releases_to_remove(survey, hosts.site.keep_releases.get());
    if !old.is_empty() {
        let root = survey.layout.root();
        host.run(cmd!(
            "cd {root}/releases && for old in {old...}; do [ ! -e \"$old\" ] || mv \"$old\" \".gone-$old\" || exit; done; \
             rm -rf .gone-*"
        ))
        .named("remove old releases")
        .await?;
    }
    // A working build is good, even if an earlier release of the same commit was marked as bad.
    let commit = &target.revision.commit;
    let is_same =
        |found: &FoundRelease| found.manifest.as_ref().is_some_and(|manifest| manifest.revision.commit == *commit);
    let marks: Vec<String> = survey
        .releases
        .iter()
        .filter(|(id, found)| found.bad.is_some() && is_same(found) && !old.contains(id))
        .map(|(id, _)| format!("{}/{BAD_FILE}", survey.layout.release(id)))
        .collect();
    if !marks.is_empty() {
        host.run(cmd!("rm -f {marks...}")).named("clear the bad mark of this build").await?;
    }
    hosts.site.cleanup.run(&hosts.app(&host, &target.release)?).await
}

/// Returns the releases to remove after a deploy: all unfinished releases, the oldest good
/// releases, and all bad releases except the last.
///
/// The previously live release stays at any age, since a rollback returns to this release. Releases
/// of other tools, held releases and the releases of a blue-green site's sides stay.
pub(super) fn releases_to_remove(survey: &Survey, keep: usize) -> Vec<&ReleaseId> {
    let was_live = survey.live();
    let (mut unfinished, mut good, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    let is_kept = |id: &ReleaseId| Some(id) == was_live || survey.sides.values().any(|side| side == id);
    let others = survey.releases.iter().rev().filter(|(id, found)| !is_kept(id) && found.held.is_none());
    for (id, found) in others {
        match (found.is_unfinished, &found.manifest, &found.bad) {
            (true, _, _) => unfinished.push(id),
            (false, Some(_), None) => good.push(id),
            (false, Some(_), Some(_)) => bad.push(id),
            (false, None, _) => {}
        }
    }
    // The new release and the previously live release count as kept.
    let others = keep.saturating_sub(1 + usize::from(was_live.is_some()));
    unfinished.into_iter().chain(good.into_iter().skip(others)).chain(bad.into_iter().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{BadMark, BlueGreenSide, CurrentLink, Manifest};
    use crate::run_id::{Operator, RunId};
    use crate::source::Revision;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    /// Returns the survey of a host. `foreign` lists releases of other tools, and `live` is the
    /// target of `current`.
    fn survey(built: &[u32], unfinished: &[u32], foreign: &[u32], live: Option<u32>) -> Survey {
        let mut survey = Survey {
            current: live.map_or(CurrentLink::Missing, |live| CurrentLink::Release(id(live))),
            ..Survey::default()
        };
        for last in built {
            let manifest = Manifest::new(id(*last), Revision::new("c", "t"), Operator::unknown(), RunId::default());
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
    fn assert_removed(survey: &Survey, keep: usize, expected: &[u32]) {
        let mut removed = releases_to_remove(survey, keep);
        removed.sort();
        assert_eq!(removed, expected.iter().map(|last| id(*last)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_releases_beyond_the_limit_are_removed() {
        assert_removed(&survey(&[1, 2, 3, 4, 5], &[], &[], Some(5)), 5, &[1]);
        assert_removed(&survey(&[1, 2, 3, 4, 5], &[], &[], Some(5)), 3, &[1, 2, 3]);
        assert_removed(&survey(&[1, 2], &[], &[], Some(2)), 5, &[]);
        assert_removed(&survey(&[], &[], &[], None), 1, &[]);
    }

    #[test]
    fn the_previously_live_release_stays_even_as_the_oldest() {
        assert_removed(&survey(&[1, 2, 3, 4, 5], &[], &[], Some(1)), 3, &[2, 3, 4]);
        assert_removed(&survey(&[1, 2], &[], &[], Some(1)), 1, &[2]);
    }

    #[test]
    fn the_releases_of_both_sides_stay() {
        let mut survey = survey(&[1, 2, 3, 4, 5], &[], &[], Some(5));
        survey.sides = [(BlueGreenSide::Blue, id(1)), (BlueGreenSide::Green, id(5))].into();
        assert_removed(&survey, 1, &[2, 3, 4]);
    }

    #[test]
    fn unfinished_releases_are_removed_and_releases_of_other_tools_stay() {
        assert_removed(&survey(&[2], &[3], &[1], Some(2)), 1, &[3]);
    }

    #[test]
    fn bad_releases_do_not_displace_good_ones() {
        let mut survey = survey(&[1, 2, 3, 4, 5, 6], &[], &[], Some(2));
        for last in [3, 4, 5, 6] {
            if let Some(found) = survey.releases.get_mut(&id(last)) {
                found.bad = Some(BadMark::new(Operator::unknown(), "it was slow"));
            }
        }
        assert_removed(&survey, 3, &[3, 4, 5]);
    }
}
