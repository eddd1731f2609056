//! Control groups: all processes of a machine, killed at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wait::poll;

/// The time limit for the end of killed processes.
const END_LIMIT: Duration = Duration::from_secs(30);

/// The mount points of the hierarchies with the processes of machines.
///
/// A machine sees cgroup 2 only. nspawn itself also uses the hierarchy `name=systemd` of cgroup 1,
/// if the host has mounted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CgroupMounts {
    unified: PathBuf,
    systemd: Option<PathBuf>,
}

impl CgroupMounts {
    /// Returns the mount points of this machine. `None` if cgroup 2 is not mounted.
    pub(super) fn find() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/mounts").ok()?)
    }

    fn parse(mounts: &str) -> Option<Self> {
        let fields: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
        let mount_point = |is_selected: &dyn Fn(&str, &str) -> bool| {
            let found = fields.iter().find(|fields| fields.len() > 3 && is_selected(fields[2], fields[3]))?;
            Some(PathBuf::from(found[1]))
        };
        Some(Self {
            unified: mount_point(&|kind, _| kind == "cgroup2")?,
            systemd: mount_point(&|kind, options| {
                kind == "cgroup" && options.split(',').any(|option| option == "name=systemd")
            }),
        })
    }

    /// Returns the control group with a name: `NETWORK` or `NETWORK/MACHINE`.
    pub(super) fn group(&self, name: &str) -> Cgroup {
        let systemd = self.systemd.as_ref().map(|mount_point| mount_point.join(name));
        Cgroup { unified: self.unified.join(name), systemd }
    }
}

/// A control group in each hierarchy of [`CgroupMounts`].
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    unified: PathBuf,
    systemd: Option<PathBuf>,
}

impl Cgroup {
    /// Creates the control group, unless it exists.
    pub(super) fn create(&self) -> io::Result<()> {
        self.dirs().try_for_each(fs::create_dir_all)
    }

    /// Returns `true` if the processes of the control group can be killed at once (Linux 5.14).
    pub(super) fn has_kill(&self) -> bool {
        self.unified.join("cgroup.kill").exists()
    }

    /// Returns the files that move a process into the control group.
    pub(super) fn procs_files(&self) -> Vec<PathBuf> {
        self.dirs().map(|dir| dir.join("cgroup.procs")).collect()
    }

    /// Kills all processes of the control group and of the groups below.
    ///
    /// Also reaches a machine whose nspawn was killed: its processes stay in the group.
    pub(super) fn kill(&self) {
        // The write fails only if the group does not exist.
        let _ = fs::write(self.unified.join("cgroup.kill"), "1");
    }

    /// Returns `true` if a process of the control group, or of a group below, is alive.
    pub(super) fn has_processes(&self) -> bool {
        let events = fs::read_to_string(self.unified.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    /// Kills all processes and removes the control group. Returns `false` if processes remain.
    pub(super) fn remove(&self) -> bool {
        let removed = poll(END_LIMIT, || {
            self.kill();
            let is_removed = !self.has_processes() && self.dirs().all(|dir| remove_tree(dir).is_ok());
            is_removed.then_some(())
        });
        removed.is_some()
    }

    fn dirs(&self) -> impl Iterator<Item = &Path> {
        [Some(self.unified.as_path()), self.systemd.as_deref()].into_iter().flatten()
    }
}

/// Removes a control group and the groups below. The files of a group vanish with the group.
fn remove_tree(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_of_a_hybrid_host_are_found() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\n";
        let found = CgroupMounts::parse(mounts).expect("cgroup 2 is mounted");
        let files: Vec<_> = found.group("net/web1").procs_files();
        assert_eq!(
            files,
            ["unified", "systemd"].map(|name| PathBuf::from(format!("/sys/fs/cgroup/{name}/net/web1/cgroup.procs")))
        );
    }

    #[test]
    fn a_host_without_cgroup_2_has_no_mounts() {
        assert_eq!(CgroupMounts::parse("cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"), None);
    }
}
