//! Tables of the releases on all hosts: [`Site::status`] and [`Site::releases`].

use std::collections::{BTreeMap, BTreeSet};

use fabrs::{Connection, Error, Group, Host};

use crate::deploy::{Surveys, describe_live_releases, survey_hosts};
use crate::outcomes::all_ok;
use crate::release::{CurrentLink, Manifest, ReleaseId, Survey};
use crate::site::Site;
use crate::table::{render, table};

impl Site {
    /// Prints the live release of each host of a group. Remarks mark locked hosts, unreachable
    /// hosts, and hosts that differ from most hosts.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the live releases.
    /// #[task(local)]
    /// async fn status() -> Result {
    ///     Site::new("/srv/shop").status(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of unreachable hosts. The table is printed first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn status(&self, hosts: Group) -> Result<(), Error> {
        self.print_overview(hosts, status_table).await
    }

    /// Prints all releases with their hosts, revisions and marks.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints all releases.
    /// #[task(local)]
    /// async fn releases() -> Result {
    ///     Site::new("/srv/shop").releases(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn releases(&self, hosts: Group) -> Result<(), Error> {
        self.print_overview(hosts, releases_table).await
    }

    async fn print_overview(&self, hosts: Group, table: fn(&[&Host], &Surveys) -> String) -> Result<(), Error> {
        let surveyed = survey_hosts(self, &hosts).await;
        let surveys: Surveys = surveyed.succeeded().map(|(host, survey)| (host.clone(), survey.clone())).collect();
        let all: Vec<&Host> = surveyed.iter().map(|(host, _)| host).collect();
        if let Some(client) = hosts.connections().first().and_then(Connection::client) {
            let mut text = table(&all, &surveys);
            let unknown = describe_live_releases(self, hosts.connections(), &surveys).await;
            text.extend(unknown.into_iter().map(|line| line + "\n"));
            client.print(None, text);
        }
        all_ok(surveyed).map(drop)
    }
}

fn status_table(hosts: &[&Host], surveys: &Surveys) -> String {
    let known: Vec<(&Host, &Survey)> = hosts.iter().filter_map(|host| Some((*host, surveys.get(*host)?))).collect();
    let mut counts: BTreeMap<Option<&ReleaseId>, usize> = BTreeMap::new();
    for (_, survey) in &known {
        *counts.entry(survey.live()).or_default() += 1;
    }
    // The release on most hosts, or the latest of several such releases.
    let common = counts.iter().max_by_key(|(release, count)| (**count, **release)).and_then(|(release, _)| *release);
    let mut rows = table(["host", "live", "revision", "by", "at", ""]);
    for host in hosts.iter().filter(|host| !surveys.contains_key(**host)) {
        rows.add_row([
            host.label().to_string(),
            "?".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            "unreachable".to_owned(),
        ]);
    }
    for (host, survey) in known {
        let mut remarks: Vec<String> = survey.manual_lock.iter().map(ToString::to_string).collect();
        remarks.extend(survey.lock_holder.iter().map(|(holder, phase)| format!("locked by {holder}, phase `{phase}`")));
        if survey.live() != common {
            remarks.push("differs from most hosts".to_owned());
        }
        match &survey.current {
            CurrentLink::Foreign(to) => remarks.push(format!("`current` links to `{to}`")),
            CurrentLink::NotALink => remarks.push("`current` is not a symlink".to_owned()),
            CurrentLink::Missing | CurrentLink::Release(_) => {}
        }
        let found = survey.live().and_then(|live| survey.releases.get(live));
        if let Some(bad) = found.and_then(|found| found.bad.as_ref()) {
            remarks.push(format!("bad: {}", first_line(&bad.reason)));
        }
        if found.is_some_and(|found| found.manifest.is_some() && !found.is_verified) {
            remarks.push("live but not verified".to_owned());
        }
        remarks.extend(survey.dirty.iter().map(|file| format!("`{file}` has local changes")));
        remarks.extend(survey.missing.iter().map(|file| format!("`{file}` is missing")));
        let live = match survey.live() {
            None => "nothing".to_owned(),
            Some(live) if *live == ReleaseId::default() => "in place".to_owned(),
            Some(live) => live.to_string(),
        };
        let [from, by, at] = manifest_cells(survey.live_manifest());
        rows.add_row([host.label().to_string(), live, from, by, at, remarks.join(", ")]);
    }
    render(&rows)
}

fn releases_table(hosts: &[&Host], surveys: &Surveys) -> String {
    let all: BTreeSet<&ReleaseId> = surveys.values().flat_map(|survey| survey.releases.keys()).collect();
    let mut rows = table(["release", "revision", "by", "at", "on", ""]);
    for id in all.into_iter().rev() {
        let mut remarks = Vec::new();
        let with: Vec<(&Host, &Survey)> = hosts
            .iter()
            .filter_map(|host| Some((*host, surveys.get(*host)?)))
            .filter(|(_, survey)| survey.releases.contains_key(id))
            .collect();
        let live: Vec<&Host> =
            with.iter().filter(|(_, survey)| survey.live() == Some(id)).map(|(host, _)| *host).collect();
        if !live.is_empty() {
            remarks.push(format!("live on {}", names(&live, hosts.len())));
        }
        let found = || with.iter().filter_map(|(_, survey)| survey.releases.get(id));
        if found().any(|found| found.is_unfinished) {
            remarks.push("unfinished".to_owned());
        }
        match found().find_map(|found| found.bad.as_ref()) {
            Some(bad) => remarks.push(format!("bad: {}", first_line(&bad.reason))),
            None if found().any(|found| found.manifest.is_some() && !found.is_verified) => {
                remarks.push("not verified on every host".to_owned());
            }
            None => {}
        }
        let [from, by, at] =
            manifest_cells(found().find_map(|found| found.manifest.as_ref().or(found.planned_manifest.as_ref())));
        let on = names(&with.iter().map(|(host, _)| *host).collect::<Vec<_>>(), hosts.len());
        rows.add_row([id.to_string(), from, by, at, on, remarks.join(", ")]);
    }
    render(&rows)
}

/// Returns the names of some hosts, or `all` for all hosts of a group of several hosts.
fn names(some: &[&Host], total: usize) -> String {
    if some.len() == total && total > 1 {
        return "all".to_owned();
    }
    some.iter().map(|host| host.label().to_string()).collect::<Vec<_>>().join(", ")
}

/// Returns the cells of a manifest: revision, user and time.
fn manifest_cells(manifest: Option<&Manifest>) -> [String; 3] {
    match manifest {
        // An in-place site records neither the user nor the time.
        Some(manifest) if manifest.at.is_empty() => [manifest.revision.to_string(), String::new(), String::new()],
        Some(manifest) => [manifest.revision.to_string(), manifest.by.to_string(), manifest.at.clone()],
        None => ["", "", ""].map(str::to_owned),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{BadMark, FoundRelease};
    use crate::run_id::{Operator, RunId};
    use crate::source::Revision;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    fn survey(releases: &[u32], live: Option<u32>) -> Survey {
        let found = |last: &u32| {
            let mut manifest = Manifest::new(
                id(*last),
                Revision::new("1a2b3c4d5e6f", format!("v{last}")),
                Operator::unknown(),
                RunId::default(),
            );
            manifest.at = format!("2026-11-03T14:02:{last:02}Z");
            let bad = (*last == 9).then(|| BadMark::new(Operator::unknown(), "web2: 502\nand more"));
            (id(*last), FoundRelease { manifest: Some(manifest), is_verified: true, bad, ..FoundRelease::default() })
        };
        let current = live.map_or(CurrentLink::Missing, |live| CurrentLink::Release(id(live)));
        Survey { current, releases: releases.iter().map(found).collect(), ..Survey::default() }
    }

    #[test]
    fn hosts_that_differ_from_most_hosts_are_marked() {
        let hosts: Vec<Host> = ["web1", "web2", "web3"].iter().map(|name| name.parse().unwrap()).collect();
        let found = [survey(&[1, 2], Some(2)), survey(&[1, 2], Some(2)), survey(&[1], Some(1))];
        let surveys = hosts.iter().cloned().zip(found).collect();
        let shown = status_table(&hosts.iter().collect::<Vec<_>>(), &surveys);
        assert_eq!(
            shown,
            "host  live            revision         by               at\n\
             web1  20261103140202  v2 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:02Z\n\
             web2  20261103140202  v2 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:02Z\n\
             web3  20261103140201  v1 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:01Z  differs from most hosts\n"
        );
    }

    #[test]
    fn a_release_is_listed_with_its_hosts_and_marks() {
        let hosts: Vec<Host> = ["web1", "web2"].iter().map(|name| name.parse().unwrap()).collect();
        let surveys = hosts.iter().cloned().zip([survey(&[1, 9], Some(1)), survey(&[1], Some(1))]).collect();
        let shown = releases_table(&hosts.iter().collect::<Vec<_>>(), &surveys);
        assert_eq!(
            shown,
            "release         revision         by               at                    on\n\
             20261103140209  v9 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:09Z  web1  bad: web2: 502\n\
             20261103140201  v1 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:01Z  all   live on all\n"
        );
    }
}
