//! Requirements of machines: root, programs, control groups and overlay file systems.

use std::fs;
use std::path::Path;

use super::cgroup::CgroupMounts;
use super::command::PATH;
use crate::accounts;

/// The programs and their Debian packages. `scripts/full machines` installs the same list.
const PROGRAMS: [(&str, &str); 7] = [
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("ssh-keygen", "openssh-client"),
];

/// Checks the requirements.
///
/// # Panics
///
/// If a requirement is not met. The message has the reason and a remedy.
#[track_caller]
pub(crate) fn require() {
    if let Some(reason) = missing() {
        panic!("machines cannot boot: {reason}");
    }
}

/// Returns the reason why this machine cannot boot other machines, with a remedy. `None` if all
/// requirements are met.
pub(crate) fn missing() -> Option<String> {
    if !accounts::is_root() {
        return Some("the test does not run as root: run `sudo scripts/full machines`".to_owned());
    }
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !is_installed(program)).collect();
    if let Some((program, _)) = missing.first() {
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        return Some(format!("`{program}` is missing: run `apt-get install {}`", packages.join(" ")));
    }
    if !fs::read_to_string("/proc/filesystems").is_ok_and(|known| known.contains("\toverlay\n")) {
        return Some("the kernel has no overlay file system: run `modprobe overlay`".to_owned());
    }
    let Some(mounts) = CgroupMounts::find() else {
        let dir = "/sys/fs/cgroup/unified";
        return Some(format!("cgroup 2 is not mounted: run `mkdir -p {dir} && mount -t cgroup2 none {dir}`"));
    };
    let probe = mounts.group(&format!("fabrs-probe-{}-{:?}", std::process::id(), std::thread::current().id()));
    let created = probe.create();
    let has_kill = probe.has_kill();
    probe.remove();
    match created {
        Err(error) => Some(format!("control groups cannot be created ({error}): run the test outside a container")),
        Ok(()) if !has_kill => Some("the kernel has no `cgroup.kill`: use Linux 5.14 or newer".to_owned()),
        Ok(()) => None,
    }
}

fn is_installed(program: &str) -> bool {
    PATH.split(':').any(|dir| Path::new(dir).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_search_path() {
        assert!(is_installed("mount"));
        assert!(!is_installed("no-such-program"));
    }

    #[test]
    fn a_missing_requirement_has_a_remedy() {
        if let Some(reason) = missing() {
            assert!(reason.contains(": "), "{reason}");
        }
    }
}
