//! Read-only bind mounts of the machine's directories.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::MountFlags;

use super::new_root::NewRoot;
use crate::step_error::{StepContext, StepError};

/// Directories of programs and libraries. `/nix` and `/gnu` hold all programs on NixOS and Guix.
const SYSTEM_DIRS: [&str; 10] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu"];

/// Mounts the machine's programs and `/sys`.
pub(super) fn mount_system(root: &NewRoot) -> Result<(), StepError> {
    for name in SYSTEM_DIRS {
        let path = Path::new("/").join(name);
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_symlink() {
            let target = fs::read_link(&path).context(format!("read /{name}"))?;
            root.symlink(target, &path).context(format!("create /{name}"))?;
        } else if found.is_dir() {
            let mount_path = root.create_dir(&format!("/{name}"), 0o755).context(format!("create /{name}"))?;
            rustix::mount::mount_bind_recursive(&path, &mount_path).context(format!("mount /{name}"))?;
        }
    }
    // A failure is ignored, because few programs need `/sys`, and a container may hide it.
    let _ = rustix::mount::mount_bind_recursive("/sys", root.path("/sys"));
    remount_all_read_only(root)
}

/// Remounts everything below `root` read-only, including mounts nested in bind-mounted directories.
fn remount_all_read_only(root: &NewRoot) -> Result<(), StepError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read the mounts")?;
    let base = root.path("/");
    let inside = mounts.lines().filter_map(mount_point).filter(|mount_path| Path::new(mount_path).starts_with(&base));
    // The new root covers any mount of the machine below its path. A covered mount is unreachable,
    // so it is skipped.
    let is_hidden =
        |mount_path: &str| fs::symlink_metadata(mount_path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    for mount_path in inside.filter(|mount_path| Path::new(mount_path) != base && !is_hidden(mount_path)) {
        remount_read_only(Path::new(&mount_path))?;
    }
    Ok(())
}

/// Remounts one mount read-only. Keeps the other flags of the mount, because the kernel rejects a
/// remount without them.
pub(super) fn remount_read_only(mount_path: &Path) -> Result<(), StepError> {
    let step = || format!("remount {} read-only", mount_path.display());
    let now = statvfs(mount_path).context(step())?.f_flag;
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
    rustix::mount::mount_remount(mount_path, flags, "").context(step())
}

/// Returns the mount point of a line of `mountinfo` (proc(5)).
fn mount_point(line: &str) -> Option<String> {
    let field = line.split(' ').nth(4)?;
    let mut parts = field.split('\\');
    let mut mount_path = parts.next()?.to_owned();
    // Spaces, tabs, newlines and backslashes are escaped as `\` and three octal digits.
    for part in parts {
        let (digits, rest) = part.split_at_checked(3)?;
        mount_path.push(char::from(u8::from_str_radix(digits, 8).ok()?));
        mount_path.push_str(rest);
    }
    Some(mount_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_in_a_mount_point_are_decoded() {
        let line = |mount_path: &str| format!("36 35 98:0 /mnt1 {mount_path} rw,noatime master:1 - ext3 /dev/root rw");
        assert_eq!(mount_point(&line("/usr/local")).as_deref(), Some("/usr/local"));
        assert_eq!(mount_point(&line(r"/a\040b\134c")).as_deref(), Some(r"/a b\c"));
        assert_eq!(mount_point("36 35"), None);
    }
}
