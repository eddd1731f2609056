//! The survey of a site on one host: the state of all its releases and locks, read by one command.

use std::collections::BTreeMap;

use fabrs::event::escape_controls;
use fabrs::{Connection, Error, ErrorKind, Hide, LockHolder, ManualLock, ShellLine, cmd};

use super::host_revert::HostRevert;
use super::id::ReleaseId;
use super::layout::{
    ACCEPTED_FILE, BAD_FILE, DRAINED_FILE, HELD_FILE, HOST_REVERT_DIR, Layout, MANIFEST_FILE, MANUAL_LOCK_FILE,
    SIDE_FILE, SiteKind, UNFINISHED_FILE, VERIFIED_FILE,
};
use super::manifest::{BadMark, HeldMark, Manifest};
use super::side::BlueGreenSide;
use super::untrusted_json;
use crate::database::migration_log::MigrationLogEntry;
use crate::run_id::{Operator, RunId};
use crate::source::revision::Revision;

/// The functions used by both scripts.
const COMMON_SCRIPT: &str = include_str!("survey_common.sh");

/// Prints the state of a site with releases.
const RELEASES_SCRIPT: &str = include_str!("survey.sh");

/// Prints the state of a site in a work tree.
const WORK_TREE_SCRIPT: &str = include_str!("survey_work_tree.sh");

/// The state of a site on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The paths of the site, with an expanded root.
    pub(crate) layout: Layout,
    /// The identity of the machine and the directory, equal for all names of the same directory.
    pub(crate) folder_identity: Option<String>,
    /// The target of `current`.
    pub(crate) current: CurrentLink,
    /// The live side of a blue-green site.
    pub(crate) live_side: Option<BlueGreenSide>,
    /// The release of each side of a blue-green site.
    pub(crate) sides: BTreeMap<BlueGreenSide, ReleaseId>,
    /// The releases, the oldest first. Directories with other names are ignored.
    pub(crate) releases: BTreeMap<ReleaseId, FoundRelease>,
    /// The linked files that are missing in `shared`. A deploy creates missing linked directories.
    pub(crate) missing: Vec<String>,
    /// The manual lock.
    pub(crate) manual_lock: Option<ManualLock>,
    /// The run that holds the lock of the site, with its phase.
    pub(crate) lock_holder: Option<(LockHolder, String)>,
    /// `true` if a run has drained the host from its balancer.
    pub(crate) is_drained: bool,
    /// The revert of the host by itself.
    pub(crate) host_revert: Option<HostRevert>,
    /// The last 50 entries of the migration log.
    pub(crate) migration_log: Vec<MigrationLogEntry>,
    /// The files of a work tree with uncommitted changes.
    pub(crate) dirty: Vec<String>,
}

/// The target of `current`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum CurrentLink {
    /// `current` does not exist: no release is live yet.
    #[default]
    Missing,
    /// A release of this site.
    Release(ReleaseId),
    /// A path that is not a release of this site.
    Foreign(String),
    /// `current` is not a symlink, so a deploy cannot switch it.
    NotALink,
}

/// A release on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FoundRelease {
    /// The manifest. `None` for an unfinished release, and for a release of another tool.
    pub(crate) manifest: Option<Manifest>,
    /// `true` if a run of fabrs has begun the release and has not finished it.
    pub(crate) is_unfinished: bool,
    /// The future manifest of an unfinished release.
    pub(crate) planned_manifest: Option<Manifest>,
    /// `true` if the host has passed its checks with this release.
    pub(crate) is_verified: bool,
    /// The migrations unknown to the release at the time of its switch.
    pub(crate) accepted_migrations: Vec<String>,
    /// The mark of a held release.
    pub(crate) held: Option<HeldMark>,
    /// The mark of a bad release.
    pub(crate) bad: Option<BadMark>,
}

impl Survey {
    /// Returns the held releases, without the live release.
    pub(crate) fn held_releases(&self) -> impl Iterator<Item = &ReleaseId> {
        let held = self.releases.iter().filter(|(_, found)| found.held.is_some()).map(|(id, _)| id);
        held.filter(|id| self.live() != Some(*id))
    }

    /// Reads the state of a site with releases. A leading `~/` of `root` is the home directory.
    /// `linked` lists the linked files, which must exist in `shared`.
    ///
    /// # Errors
    ///
    /// The errors of a command, and [`ErrorKind::File`] for an unreadable manifest.
    pub(crate) async fn probe(host: &Connection, root: &str, linked: &[String]) -> Result<Self, Error> {
        let variables = cmd!(
            "root={root}; manifest={MANIFEST_FILE} unfinished={UNFINISHED_FILE} accepted={ACCEPTED_FILE} \
             verified={VERIFIED_FILE} held={HELD_FILE} bad={BAD_FILE} side_file={SIDE_FILE} \
             drained={DRAINED_FILE} manual_lock={MANUAL_LOCK_FILE} host_revert={HOST_REVERT_DIR}; set -- {linked...}"
        );
        Self::run_script(host, &variables, RELEASES_SCRIPT).await
    }

    /// Reads the state of a site in a work tree. The live release is the checked-out commit.
    ///
    /// # Errors
    ///
    /// The errors of a command.
    pub(crate) async fn probe_in_place(host: &Connection, root: &str) -> Result<Self, Error> {
        let variables =
            cmd!("root={root}; accepted={ACCEPTED_FILE} drained={DRAINED_FILE} manual_lock={MANUAL_LOCK_FILE}");
        Self::run_script(host, &variables, WORK_TREE_SCRIPT).await
    }

    async fn run_script(host: &Connection, variables: &ShellLine, script: &str) -> Result<Self, Error> {
        let line = ShellLine::raw(format!("{}\n{COMMON_SCRIPT}\n{}", variables.as_str(), script.trim_end()));
        let output = host.probe(line).named("read the state of the site").hide(Hide::Both).capture_all().await?;
        Self::parse(&output.stdout()?).map_err(|error| error.on(output.host()))
    }

    /// Parses the output of a script.
    fn parse(output: &str) -> Result<Self, Error> {
        let mut survey = Self::default();
        let mut accepted_in_place = Vec::new();
        for line in output.lines() {
            let Some((kind, rest)) = line.split_once(' ') else { continue };
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            match kind {
                "root" => survey.layout = Layout::new(rest, SiteKind::Releases),
                "tree" => survey.layout = Layout::new(rest, SiteKind::InPlace),
                // Without the boot id, directories of different machines could have the same
                // identity.
                "identity" if !name.is_empty() => survey.folder_identity = Some(rest.to_owned()),
                "current" => survey.current = CurrentLink::parse(rest, survey.layout.root()),
                "live-side" => survey.live_side = BlueGreenSide::parse(rest),
                "side" => {
                    let release = CurrentLink::parse(text, survey.layout.root());
                    if let (Some(side), CurrentLink::Release(release)) = (BlueGreenSide::parse(name), release) {
                        survey.sides.insert(side, release);
                    }
                }
                "drained" => survey.is_drained = true,
                "no-link" => survey.current = CurrentLink::NotALink,
                "manual-lock" => survey.manual_lock = Some(ManualLock::read(rest)),
                "holder" => {
                    survey.lock_holder =
                        untrusted_json::parse(text).ok().map(|holder| (holder, escape_controls(name).into_owned()));
                }
                "host-revert" => {
                    survey.host_revert = name.parse().ok().map(|release| HostRevert::parse(release, text));
                }
                // A work tree prints this line before `head`.
                "tree-accepted" => accepted_in_place = rest.split_whitespace().map(str::to_owned).collect(),
                "head" => survey.set_head(rest, std::mem::take(&mut accepted_in_place)),
                "dirty" => survey.dirty.push(rest.to_owned()),
                "missing" => survey.missing.push(rest.to_owned()),
                "release" => {
                    let manifest = parse_manifest(text, name)?;
                    survey.releases.entry(name.parse()?).or_default().manifest = manifest;
                }
                "unfinished" => {
                    let found = survey.releases.entry(name.parse()?).or_default();
                    (found.is_unfinished, found.planned_manifest) = (true, untrusted_json::parse(text).ok());
                }
                "accepted" => {
                    let found = survey.releases.entry(name.parse()?).or_default();
                    found.accepted_migrations = text.split_whitespace().map(str::to_owned).collect();
                }
                // A killed run may have left an incomplete line. Such lines are skipped.
                "migrated" => survey.migration_log.extend(untrusted_json::parse::<MigrationLogEntry>(rest)),
                "verified" => survey.releases.entry(name.parse()?).or_default().is_verified = true,
                "held" => {
                    let unknown = || HeldMark { by: Operator::unknown(), at: String::new() };
                    let held = untrusted_json::parse(text).unwrap_or_else(|_| unknown());
                    survey.releases.entry(name.parse()?).or_default().held = Some(held);
                }
                "bad" => {
                    // A person may have written the file by hand, as plain text.
                    let plain = || BadMark { by: Operator::unknown(), at: String::new(), reason: text.to_owned() };
                    let bad = untrusted_json::parse(text).unwrap_or_else(|_| plain());
                    survey.releases.entry(name.parse()?).or_default().bad = Some(bad);
                }
                _ => {}
            }
        }
        Ok(survey)
    }

    /// Sets the commit of a work tree as the live release. The release has the default id.
    fn set_head(&mut self, commit: &str, accepted: Vec<String>) {
        let id = ReleaseId::default();
        let manifest = Manifest::new(id.clone(), Revision::new(commit, commit), Operator::unknown(), RunId::default());
        self.current = CurrentLink::Release(id.clone());
        self.releases.insert(
            id,
            FoundRelease {
                manifest: Some(Manifest { at: String::new(), ..manifest }),
                is_verified: true,
                accepted_migrations: accepted,
                ..FoundRelease::default()
            },
        );
    }

    /// Returns the id of the live release.
    pub(crate) fn live(&self) -> Option<&ReleaseId> {
        match &self.current {
            CurrentLink::Release(id) => Some(id),
            CurrentLink::Missing | CurrentLink::Foreign(_) | CurrentLink::NotALink => None,
        }
    }

    /// Returns the migrations unknown to the live release at the time of its switch.
    pub(crate) fn accepted_by_live(&self) -> &[String] {
        let found = self.live().and_then(|live| self.releases.get(live));
        found.map_or(&[], |found| &found.accepted_migrations)
    }

    /// Returns the manifest of the live release.
    pub(crate) fn live_manifest(&self) -> Option<&Manifest> {
        self.releases.get(self.live()?)?.manifest.as_ref()
    }
}

impl CurrentLink {
    /// Parses the target of `current`. A release of another site is foreign.
    fn parse(target: &str, root: &str) -> Self {
        let (folder, name) = target.trim_end_matches('/').rsplit_once('/').unwrap_or(("", target));
        let is_ours = folder == "releases" || folder.strip_prefix(root) == Some("/releases");
        match (is_ours, name.parse()) {
            (true, Ok(id)) => Self::Release(id),
            _ => Self::Foreign(target.to_owned()),
        }
    }
}

fn parse_manifest(text: &str, release: &str) -> Result<Option<Manifest>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    untrusted_json::parse(text).map(Some).map_err(|source| {
        let text = format!("could not parse `{MANIFEST_FILE}` of the release {release}");
        let error = Error::new(ErrorKind::File, text).caused_by(source);
        error.hint("remove the release, or restore the file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_link_to_another_site_is_foreign() {
        let id = || CurrentLink::Release("20261103140211".parse().unwrap());
        let read = |target| CurrentLink::parse(target, "/srv/shop");
        assert_eq!(read("releases/20261103140211"), id());
        assert_eq!(read("/srv/shop/releases/20261103140211/"), id());
        for other in ["old/20261103140211", "/srv/shop-2", "/var/www/shop/releases/20261103140211"] {
            assert_eq!(read(other), CurrentLink::Foreign(other.to_owned()));
        }
    }

    #[test]
    fn a_release_of_another_tool_and_a_plain_bad_mark_are_accepted() {
        let survey = Survey::parse("release 20261103140211 \nunfinished 20261103140211\nbad 20261103140211 the shop was closed\nmissing .env\n").unwrap();
        let (_, found) = survey.releases.first_key_value().unwrap();
        assert_eq!((&found.manifest, found.is_unfinished), (&None, true));
        assert_eq!(found.bad.as_ref().unwrap().reason, "the shop was closed");
        assert_eq!(survey.missing, [".env"]);
        assert_eq!(survey.live(), None);
    }

    #[test]
    fn an_invalid_manifest_is_an_error_with_the_release() {
        let error = Survey::parse("release 20261103140211 {\"a\":1}").unwrap_err();
        assert!(error.to_string().contains("20261103140211"), "{error}");
    }
}
