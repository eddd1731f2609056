//! The readiness of a host for a deploy: space, programs, units and the clock.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fabrs::{Connection, Error, Hide, Host};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::finish::releases_to_remove;
use crate::deploy::space_to_free::SpaceToFree;
use crate::outcomes::all_ok;
use crate::release::{ReleaseId, Survey};
use crate::remote_script::with_arguments;
use crate::requirement::Requirement;

/// The programs used by every deploy.
const PROGRAMS: [&str; 3] = ["git", "tar", "flock"];

/// The maximum difference between the clocks of a host and of this machine.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Space on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) kib: u64,
    /// `None` if the file system has no inode limit.
    pub(super) inodes: Option<u64>,
}

/// The readiness of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) free: Space,
    /// The space used by the live release.
    pub(super) live: Option<Space>,
    /// The clock of the host minus the clock of this machine, in seconds.
    pub(super) clock_skew: i64,
    not_writable: Option<String>,
    missing_programs: Vec<String>,
    missing_units: Vec<String>,
    /// The releases that a deploy may remove before the build, the oldest first.
    removable: Vec<ReleaseId>,
}

/// Probes all hosts.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn probe(hosts: &ConnectedSite, surveys: &Surveys) -> Result<BTreeMap<Host, Readiness>, Error> {
    let probed = hosts.group.each(|host| async move {
        let survey = host.host().and_then(|name| surveys.get(name));
        let readiness = probe_host(hosts, &host, survey).await?;
        Ok::<_, Error>(readiness)
    });
    Ok(all_ok(probed.await)?.into_iter().collect())
}

async fn probe_host(hosts: &ConnectedSite, host: &Connection, survey: Option<&Survey>) -> Result<Readiness, Error> {
    let root = hosts.layouts.of(host)?.root().to_owned();
    let live = survey.and_then(Survey::live).map(ToString::to_string).unwrap_or_default();
    let mut arguments = vec![root, live];
    arguments.extend(PROGRAMS.map(|name| Requirement::Program(name.to_owned()).argument()));
    for (scope, requirement) in &hosts.site.requirements {
        if scope.has(host)? {
            arguments.push(requirement.argument());
        }
    }
    let script = with_arguments(arguments, include_str!("readiness.sh"));
    let before = SystemTime::now();
    let probe = host.with_shell("sh -c").probe(script).named("check the readiness of the host");
    let output = probe.hide(Hide::Both).capture_all().await?;
    let removable = survey.map(|survey| releases_to_remove(survey, 1)).unwrap_or_default();
    let removable = removable.into_iter().rev().cloned().collect();
    Ok(Readiness { removable, ..Readiness::parse(&output.stdout()?, before, SystemTime::now()) })
}

impl Readiness {
    /// Parses the output of `readiness.sh`. The script ran between two times of this machine.
    fn parse(output: &str, before: SystemTime, after: SystemTime) -> Self {
        let (mut free, mut live) = (Space { kib: 0, inodes: None }, None);
        let mut readiness = Self {
            free,
            live,
            clock_skew: 0,
            not_writable: None,
            missing_programs: Vec::new(),
            missing_units: Vec::new(),
            removable: Vec::new(),
        };
        for line in output.lines() {
            let Some((kind, value)) = line.split_once(' ') else { continue };
            let number = value.parse::<u64>().ok();
            match (kind, number) {
                ("time", Some(seconds)) => readiness.clock_skew = clock_skew(seconds, before, after),
                ("kib", Some(kib)) => free.kib = kib,
                ("inodes", inodes) => free.inodes = inodes,
                ("live-kib", Some(kib)) => live = Some(Space { kib, inodes: None }),
                ("live-inodes", inodes) => live = live.map(|space| Space { inodes, ..space }),
                ("not-writable", _) => readiness.not_writable = Some(value.to_owned()),
                ("missing-program", _) => readiness.missing_programs.push(value.to_owned()),
                ("missing-unit", _) => readiness.missing_units.push(value.to_owned()),
                _ => {}
            }
        }
        Self { free, live, ..readiness }
    }

    /// Returns the obstacles for a deploy.
    pub(super) fn obstacles(&self) -> impl Iterator<Item = String> {
        let not_writable = self.not_writable.iter().map(|path| format!("`{path}` is not writable by the login user"));
        let missing = self.missing_programs.iter().map(|program| format!("`{program}` is not in the `PATH`"));
        let lacks_space = self.live.filter(|live| !self.free.holds(*live, 1) && self.removable.is_empty());
        let space = lacks_space.map(|live| {
            format!(
                "not enough space for a release: {} free, the live release uses {live}, and no old release can be removed",
                self.free
            )
        });
        not_writable.chain(missing).chain(space).collect::<Vec<_>>().into_iter()
    }

    /// Returns the warnings.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let skew = Some(self.clock_skew).filter(|skew| skew.unsigned_abs() > MAX_CLOCK_SKEW.as_secs());
        let clock = skew.map(|skew| {
            let direction = if skew < 0 { "behind" } else { "ahead of" };
            format!("the clock is {} s {direction} this machine (check NTP)", skew.unsigned_abs())
        });
        let unit = |unit: &String| format!("no systemd unit `{unit}`");
        clock.into_iter().chain(self.missing_units.iter().map(unit)).collect::<Vec<_>>().into_iter()
    }

    /// Returns the releases to remove, if a build may not fit. The build needs about the space of
    /// three releases: for the files, their archive, and new objects in the repository.
    pub(super) fn space_to_free(self) -> Option<SpaceToFree> {
        let live = self.live.filter(|live| !self.free.holds(*live, 3))?;
        let (kib, inodes) = (live.kib * 3, live.inodes.unwrap_or_default() * 3);
        Some(SpaceToFree { kib, inodes, removable: self.removable }).filter(|room| !room.removable.is_empty())
    }
}

/// Returns the clock offset of a host. The host read its time between two times of this machine.
fn clock_skew(seconds: u64, before: SystemTime, after: SystemTime) -> i64 {
    let seconds_of = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = seconds.cast_signed();
    let (before, after) = (seconds_of(before).cast_signed(), seconds_of(after).cast_signed());
    seconds - seconds.clamp(before, after)
}

impl Space {
    /// Returns the space without its number of inodes.
    pub(super) fn without_inodes(self) -> Self {
        Self { inodes: None, ..self }
    }

    /// Returns `true` if `count` copies of `content` fit.
    fn holds(self, content: Self, count: u64) -> bool {
        let inodes = self.inodes.zip(content.inodes);
        content.kib * count <= self.kib && inodes.is_none_or(|(free, used)| used * count <= free)
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kib {
            kib if kib >= 10 << 20 => write!(f, "{} GiB", kib >> 20)?,
            kib if kib >= 10 << 10 => write!(f, "{} MiB", kib >> 10)?,
            kib => write!(f, "{kib} KiB")?,
        }
        self.inodes.map_or(Ok(()), |inodes| write!(f, " and {inodes} inodes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str =
        "time 1000\nkib 900\ninodes 50\nlive-kib 1000\nlive-inodes 20\nmissing-program node\nmissing-unit shop\n";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_host_without_space_or_programs_has_obstacles() {
        let mut readiness = Readiness::parse(OUTPUT, at(990), at(1001));
        let obstacles: Vec<_> = readiness.obstacles().collect();
        assert_eq!(obstacles.len(), 2, "{obstacles:?}");
        assert!(obstacles[1].contains("900 KiB and 50 inodes free"), "{obstacles:?}");
        assert_eq!(readiness.warnings().collect::<Vec<_>>(), ["no systemd unit `shop`"]);

        readiness.removable = vec![ReleaseId::default()];
        assert_eq!(readiness.obstacles().count(), 1, "a deploy can remove an old release");
        let room = readiness.space_to_free().unwrap();
        assert_eq!((room.kib, room.inodes), (3000, 60));
    }

    #[test]
    fn a_build_with_enough_space_removes_nothing() {
        let output = "kib 3000\nlive-kib 1000\nlive-inodes 20\n";
        let readiness = Readiness { removable: vec![ReleaseId::default()], ..Readiness::parse(output, at(0), at(0)) };
        assert_eq!(readiness.space_to_free(), None);
    }

    #[test]
    fn a_host_time_within_the_probe_has_no_offset() {
        assert_eq!(clock_skew(1000, at(990), at(1001)), 0);
        assert_eq!(clock_skew(1100, at(990), at(1001)), 99);
        assert_eq!(clock_skew(900, at(990), at(1001)), -90);
        let wrong = Readiness::parse("time 900\n", at(990), at(1001));
        assert_eq!(wrong.warnings().collect::<Vec<_>>(), ["the clock is 90 s behind this machine (check NTP)"]);
    }
}
