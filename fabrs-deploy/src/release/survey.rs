//! What there is of a site on one host: looked at in one command.

use std::collections::BTreeMap;

use fabrs::event::escape_controls;
use fabrs::lock::{LockHolder, ManualLock};
use fabrs::{Connection, Error, ErrorKind, Hide, ShellLine, cmd};

use super::id::ReleaseId;
use super::layout::{
    ACCEPTED_FILE, BAD_FILE, Layout, MANIFEST_FILE, MANUAL_LOCK_FILE, SiteKind, UNFINISHED_FILE, VERIFIED_FILE,
};
use super::manifest::{BadMark, Manifest};
use super::untrusted_json;
use crate::database::migration_log::MigrationLogEntry;
use crate::run_id::{RunId, Who};
use crate::source::revision::Revision;

/// What there is of a site on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// What stands where on the host.
    pub(crate) layout: Layout,
    /// The machine and the folder, whatever their names are: equal only for one folder.
    pub(crate) folder_identity: Option<String>,
    /// What is live.
    pub(crate) current: CurrentLink,
    /// The releases by their names, from the first to the last; folders of other names are nobody's business.
    pub(crate) releases: BTreeMap<ReleaseId, FoundRelease>,
    /// The linked files and folders that are not in `shared`.
    pub(crate) missing: Vec<String>,
    /// The manual lock.
    pub(crate) manual_lock: Option<ManualLock>,
    /// The run that has the site locked, with its phase.
    pub(crate) lock_holder: Option<(LockHolder, String)>,
    /// The last entries of the log of migrations.
    pub(crate) migration_log: Vec<MigrationLogEntry>,
    /// Files that somebody has changed since they came from the repository, where the site is a work tree.
    pub(crate) dirty: Vec<String>,
}

/// What `current` leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum CurrentLink {
    /// Nothing is live yet.
    #[default]
    Missing,
    /// This release.
    Release(ReleaseId),
    /// Something that is no release of ours.
    Foreign(String),
    /// It is no symlink, and can't be switched.
    NotALink,
}

/// A release as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FoundRelease {
    /// What it says of itself; nothing where it was never finished, or another tool has made it.
    pub(crate) manifest: Option<Manifest>,
    /// Whether a run of ours has begun it and never finished it.
    pub(crate) is_unfinished: bool,
    /// The manifest that it would have, where it is not finished.
    pub(crate) planned_manifest: Option<Manifest>,
    /// Whether the host was seen to work with it.
    pub(crate) is_verified: bool,
    /// The migrations that it did not know when it went live.
    pub(crate) accepted_migrations: Vec<String>,
    /// What is said against it.
    pub(crate) bad: Option<BadMark>,
}

impl Survey {
    /// Looks at the site in `root` of a host, where a leading `~/` is the home; `linked` are the files and folders that are to be in `shared`.
    ///
    /// # Errors
    ///
    /// As any command.
    pub(crate) async fn probe(host: &Connection, root: &str, linked: &[String]) -> Result<Self, Error> {
        let said = host.probe(line(root, linked)).hide(Hide::Both).capture_all().await?;
        Self::parse(&said.stdout()?).map_err(|error| error.on(said.host()))
    }

    /// Looks at a host where the site is a work tree: what is live is its commit.
    ///
    /// # Errors
    ///
    /// As any command.
    pub(crate) async fn probe_in_place(host: &Connection, root: &str) -> Result<Self, Error> {
        let look = cmd!(
            r#"root={root}; case $root in "~/"*) root=$HOME/${root#"~/"} ;; esac; echo "tree $root"
            if [ -e "$root"/.git/{MANUAL_LOCK_FILE} ]; then printf 'kept %s\n' "$(tr '\n' ' ' < "$root"/.git/{MANUAL_LOCK_FILE})"; fi
            cd "$root" 2> /dev/null && git rev-parse --verify --quiet HEAD > /dev/null || exit 0
            if [ -f .git/{ACCEPTED_FILE} ]; then printf 'tree-accepted %s\n' "$(tr '\n' ' ' < .git/{ACCEPTED_FILE})"; fi
            echo "head $(git rev-parse HEAD)"; git --no-optional-locks status --porcelain --untracked-files=no | sed 's/^.. /dirty /'"#
        );
        // The lock is in the folder that git has for itself; its name was expanded above.
        let holder = format!("(cd \"$root\"/.git 2> /dev/null && {{ {PRINT_LOCK_HOLDER}\n{PRINT_MIGRATION_LOG}\n}})");
        let (place, rest) = look.as_str().split_once('\n').unwrap_or((look.as_str(), ""));
        let look = ShellLine::raw(format!("{place}\n{PRINT_FOLDER_IDENTITY}\n{holder}\n{rest}"));
        let said = host.probe(look).hide(Hide::Both).capture_all().await?;
        Self::parse(&said.stdout()?).map_err(|error| error.on(said.host()))
    }

    /// Reads what the script says.
    fn parse(said: &str) -> Result<Self, Error> {
        let mut survey = Self::default();
        let mut accepted_in_place = Vec::new();
        for line in said.lines() {
            let Some((kind, rest)) = line.split_once(' ') else { continue };
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            match kind {
                "root" => survey.layout = Layout::new(rest, SiteKind::Releases),
                "tree" => survey.layout = Layout::new(rest, SiteKind::InPlace),
                // Without the id of the machine it would tell nothing.
                "place" if !name.is_empty() => survey.folder_identity = Some(rest.to_owned()),
                "current" => survey.current = CurrentLink::parse(rest, survey.layout.root()),
                "no-link" => survey.current = CurrentLink::NotALink,
                "kept" => survey.manual_lock = Some(ManualLock::read(rest)),
                "holder" => {
                    survey.lock_holder =
                        untrusted_json::parse(text).ok().map(|holder| (holder, escape_controls(name).into_owned()));
                }
                // Of the work tree: it comes before the head.
                "tree-accepted" => accepted_in_place = rest.split_whitespace().map(str::to_owned).collect(),
                "head" => survey.set_head(rest, std::mem::take(&mut accepted_in_place)),
                "dirty" => survey.dirty.push(rest.to_owned()),
                "missing" => survey.missing.push(rest.to_owned()),
                "release" => {
                    let manifest = json(text, name, MANIFEST_FILE)?;
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
                // A line that was cut off is none.
                "migrated" => survey.migration_log.extend(untrusted_json::parse::<MigrationLogEntry>(rest)),
                "works" => survey.releases.entry(name.parse()?).or_default().is_verified = true,
                "bad" => {
                    // Whoever marked it by hand need not write JSON.
                    let why = || BadMark { by: Who::unknown(), at: String::new(), reason: text.to_owned() };
                    let bad = untrusted_json::parse(text).unwrap_or_else(|_| why());
                    survey.releases.entry(name.parse()?).or_default().bad = Some(bad);
                }
                _ => {}
            }
        }
        Ok(survey)
    }

    /// Takes a commit for what is live: as a release that has no name but its commit.
    fn set_head(&mut self, commit: &str, accepted: Vec<String>) {
        let id = ReleaseId::default();
        let manifest = Manifest::new(id.clone(), Revision::new(commit, commit), Who::unknown(), RunId::default());
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

    /// Returns the release that is live.
    pub(crate) fn live(&self) -> Option<&ReleaseId> {
        match &self.current {
            CurrentLink::Release(id) => Some(id),
            CurrentLink::Missing | CurrentLink::Foreign(_) | CurrentLink::NotALink => None,
        }
    }

    /// Returns the migrations that the live release did not know when it went live.
    pub(crate) fn accepted_by_live(&self) -> &[String] {
        let found = self.live().and_then(|live| self.releases.get(live));
        found.map_or(&[], |found| &found.accepted_migrations)
    }

    /// Returns what the release that is live says of itself.
    pub(crate) fn live_manifest(&self) -> Option<&Manifest> {
        self.releases.get(self.live()?)?.manifest.as_ref()
    }
}

impl CurrentLink {
    /// Reads what `current` leads to: a release only where that is one of this site.
    fn parse(target: &str, root: &str) -> Self {
        let (folder, name) = target.trim_end_matches('/').rsplit_once('/').unwrap_or(("", target));
        let is_ours = folder == "releases" || folder.strip_prefix(root) == Some("/releases");
        match (is_ours, name.parse()) {
            (true, Ok(id)) => Self::Release(id),
            _ => Self::Foreign(target.to_owned()),
        }
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str, release: &str, file: &str) -> Result<Option<T>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    untrusted_json::parse(text).map(Some).map_err(|source| {
        let error = Error::new(ErrorKind::File, format!("could not read `{file}` of the release {release}"));
        error.caused_by(source).hint("remove that release, or what another program has written there")
    })
}

/// Prints the holder of the lock in the current folder, if there is one. A run that tries the lock holds that of the turn: it
/// must not take this look for another holder.
const PRINT_LOCK_HOLDER: &str = r#"if [ -s deploy.lock ] && (flock 8 && ! flock -n 9) 8< deploy.lock.turn 9< deploy.lock 2> /dev/null; then
        printf 'holder %s %s\n' "$(cat deploy.lock.phase 2> /dev/null || echo -)" "$(tr '\n' ' ' < deploy.lock)"; fi"#;

/// Prints the machine and the folder `$root`: by the id of its boot, and by the inode of the nearest folder that is there.
const PRINT_FOLDER_IDENTITY: &str = r#"(p=$root; rest=; while [ ! -d "$p" ]; do rest=/${p##*/}$rest; p=${p%/*}; [ -n "$p" ] || p=/; done
        printf 'place %s %s%s\n' "$(cat /proc/sys/kernel/random/boot_id 2> /dev/null)" "$(stat -L -c %d:%i "$p")" "$rest")"#;

/// Prints the last entries of the log of migrations in the current folder.
const PRINT_MIGRATION_LOG: &str = "tail -n 50 migrations.log 2> /dev/null | sed 's/^/migrated /'";

/// Returns the script: a line for each thing that it finds, what files hold on the same line.
fn line(root: &str, linked: &[String]) -> ShellLine {
    let names = "[0-9]".repeat(14);
    let names = ShellLine::raw(format!("for release in releases/{names}; do"));
    let look = cmd!(
        r#"[ -d "$release" ] || continue; name=${release#releases/}
        printf 'release %s %s\n' "$name" "$(cat "$release"/{MANIFEST_FILE} 2> /dev/null | tr '\n' ' ')"
        if [ -f "$release"/{UNFINISHED_FILE} ]; then printf 'unfinished %s %s\n' "$name" "$(tr '\n' ' ' < "$release"/{UNFINISHED_FILE})"; fi
        if [ -f "$release"/{ACCEPTED_FILE} ]; then printf 'accepted %s %s\n' "$name" "$(tr '\n' ' ' < "$release"/{ACCEPTED_FILE})"; fi
        if [ -f "$release"/{VERIFIED_FILE} ]; then echo "works $name"; fi
        if [ -f "$release"/{BAD_FILE} ]; then printf 'bad %s %s\n' "$name" "$(tr '\n' ' ' < "$release"/{BAD_FILE})"; fi"#
    );
    let links = cmd!(r#"for link in {linked...}; do [ -e "shared/$link" ] || printf 'missing %s\n' "$link"; done"#);
    let start = cmd!(
        r#"root={root}; case $root in "~/"*) root=$HOME/${root#"~/"} ;; esac
        echo "root $root"
        cd "$root" 2> /dev/null || {{ for link in {linked...}; do printf 'missing %s\n' "$link"; done; exit 0; }}
        if [ -L current ]; then printf 'current %s\n' "$(readlink current)"
        elif [ -e current ]; then echo 'no-link current'; fi
        if [ -e {MANUAL_LOCK_FILE} ]; then printf 'kept %s\n' "$(tr '\n' ' ' < {MANUAL_LOCK_FILE})"; fi"#
    );
    let [start, names, look, links] = [start.as_str(), names.as_str(), look.as_str(), links.as_str()];
    let (root, start) = start.split_once('\n').unwrap_or((start, ""));
    ShellLine::raw(format!(
        "{root}\n{PRINT_FOLDER_IDENTITY}\n{start}\n{PRINT_LOCK_HOLDER}\n{PRINT_MIGRATION_LOG}\n{names}\n{look}\ndone\n{links}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_is_a_release_only_where_it_leads_to_one() {
        let id = || CurrentLink::Release("20261103140211".parse().unwrap());
        let read = |target| CurrentLink::parse(target, "/srv/shop");
        assert_eq!(read("releases/20261103140211"), id());
        assert_eq!(read("/srv/shop/releases/20261103140211/"), id());
        for other in ["old/20261103140211", "/srv/shop-2", "/var/www/shop/releases/20261103140211"] {
            assert_eq!(read(other), CurrentLink::Foreign(other.to_owned()));
        }
    }

    #[test]
    fn what_is_said_of_a_release_need_not_be_ours() {
        let survey = Survey::parse("release 20261103140211 \nunfinished 20261103140211\nbad 20261103140211 the shop was closed\nmissing .env\n").unwrap();
        let (_, found) = survey.releases.first_key_value().unwrap();
        assert_eq!((&found.manifest, found.is_unfinished), (&None, true));
        assert_eq!(found.bad.as_ref().unwrap().reason, "the shop was closed");
        assert_eq!(survey.missing, [".env"]);
        assert_eq!(survey.live(), None);
    }

    #[test]
    fn a_manifest_that_is_none_of_ours_is_an_error_that_names_it() {
        let error = Survey::parse("release 20261103140211 {\"a\":1}").unwrap_err();
        assert!(error.to_string().contains("20261103140211"), "{error}");
    }
}
