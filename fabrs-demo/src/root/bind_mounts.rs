//! What a host has of the machine, read-only.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::MountFlags;

use super::new_root::Tree;
use crate::step_error::{Failure, While};

/// The folders of programs and what they need; `/nix` and `/gnu` are all of it on some systems.
const SYSTEM: [&str; 10] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu"];

/// Shows the machine's programs, and its `/sys`.
pub(super) fn system(tree: &Tree) -> Result<(), Failure> {
    for name in SYSTEM {
        let path = Path::new("/").join(name);
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_symlink() {
            let target = fs::read_link(&path).when(format!("read /{name}"))?;
            tree.link(target, &path).when(format!("make /{name}"))?;
        } else if found.is_dir() {
            let place = tree.folder(&format!("/{name}"), 0o755).when(format!("make /{name}"))?;
            rustix::mount::mount_bind_recursive(&path, &place).when(format!("show /{name}"))?;
        }
    }
    // Few programs look there, and a machine may hide it.
    let _ = rustix::mount::mount_bind_recursive("/sys", tree.at("/sys"));
    all_read_only(tree)
}

/// Makes everything that is mounted in the tree read-only, what was mounted below it on the machine too.
fn all_read_only(tree: &Tree) -> Result<(), Failure> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").when("read what is mounted")?;
    let base = tree.at("/");
    let inside = mounts.lines().filter_map(mount_point).filter(|place| Path::new(place).starts_with(&base));
    // What the machine has mounted where the tree stands now is hidden below it, and nobody can come there.
    let is_hidden = |place: &str| fs::symlink_metadata(place).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    for place in inside.filter(|place| Path::new(place) != base && !is_hidden(place)) {
        read_only(Path::new(&place))?;
    }
    Ok(())
}

/// Makes one mount read-only. What else was forbidden on it stays so, as the kernel demands.
pub(super) fn read_only(place: &Path) -> Result<(), Failure> {
    let what = || format!("make {} read-only", place.display());
    let now = statvfs(place).when(what())?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| now.contains(*flag)).map(|(_, flag)| flag);
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |all, flag| all | flag);
    rustix::mount::mount_remount(place, flags, "").when(what())
}

/// Returns where something is mounted, from its line in `mountinfo` (see proc(5)).
fn mount_point(line: &str) -> Option<String> {
    let field = line.split(' ').nth(4)?;
    let mut parts = field.split('\\');
    let mut place = parts.next()?.to_owned();
    // Blanks, tabs, line ends and backslashes are three octal digits after a backslash.
    for part in parts {
        let (digits, rest) = part.split_at_checked(3)?;
        place.push(char::from(u8::from_str_radix(digits, 8).ok()?));
        place.push_str(rest);
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_read_with_what_is_odd_in_it() {
        let line = |place: &str| format!("36 35 98:0 /mnt1 {place} rw,noatime master:1 - ext3 /dev/root rw");
        assert_eq!(mount_point(&line("/usr/local")).as_deref(), Some("/usr/local"));
        assert_eq!(mount_point(&line(r"/a\040b\134c")).as_deref(), Some(r"/a b\c"));
        assert_eq!(mount_point("36 35"), None);
    }
}
