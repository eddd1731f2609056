//! `/etc` of a host: a copy of the machine's files with new accounts and host names.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use super::new_root::NewRoot;
use super::paths::BIN;
use crate::passwd::AccountFiles;
use crate::protocol::HostSettings;

/// The maximum size of a copied file, in bytes. Larger files are hardware databases, not settings.
const MAX_FILE_LEN: u64 = 4 << 20;
/// Files with accounts, host names or secrets. These files are generated for the host, or omitted.
const NOT_COPIED: [&str; 14] = [
    "group",
    "group-",
    "gshadow",
    "gshadow-",
    "hostname",
    "hosts",
    "mtab",
    "passwd",
    "passwd-",
    "shadow",
    "shadow-",
    "sudoers",
    "sudoers.d",
    "ssh",
];

/// Writes `/etc`.
pub(super) fn write_etc(root: &NewRoot, settings: &HostSettings, shell: &str) -> io::Result<()> {
    copy_dir(Path::new("/etc"), &root.path("/etc"), &NOT_COPIED)?;
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let files = AccountFiles::new(&read("/etc/passwd"), &read("/etc/group"), &settings.account, settings.users, shell);
    root.write_file("/etc/passwd", &files.passwd, 0o644)?;
    root.write_file("/etc/group", &files.group, 0o644)?;
    root.write_file("/etc/shadow", &files.shadow, 0o600)?;
    let account = &settings.account;
    root.write_file("/etc/sudoers", &format!("{account} ALL=(ALL:ALL) NOPASSWD: ALL\n"), 0o440)?;
    let name = &settings.name;
    root.write_file("/etc/hostname", &format!("{name}\n"), 0o644)?;
    let hosts = read("/etc/hosts");
    let own = format!("127.0.0.1 localhost {name}\n::1 localhost ip6-localhost ip6-loopback\n");
    let others = hosts.lines().filter(|line| !line.contains("localhost")).map(|line| format!("{line}\n"));
    root.write_file("/etc/hosts", &(own + &others.collect::<String>()), 0o644)?;
    root.symlink("/proc/self/mounts", "/etc/mtab")?;
    // Login shells reset `PATH`, so a profile script adds the directory of the `sudo` replacement.
    root.create_dir("/etc/profile.d", 0o755)?;
    root.write_file("/etc/profile.d/fabrs-demo.sh", &format!("PATH={BIN}:$PATH\n"), 0o644)?;
    Ok(())
}

/// Copies the readable files of a directory, except those listed in `excluded`. Unreadable files
/// are omitted, because commands of a host do not need them.
fn copy_dir(from: &Path, to: &Path, excluded: &[&str]) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| !excluded.contains(&&*entry.file_name().to_string_lossy())) {
        let to = to.join(entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            fs::create_dir_all(&to)?;
            copy_dir(&entry.path(), &to, &[])?;
        } else if kind.is_symlink() {
            copy_link(&entry, &to)?;
        } else if kind.is_file() {
            copy_file(&entry.path(), &to);
        }
    }
    Ok(())
}

/// Copies a symlink, or its target if the host lacks the target's directory. For example,
/// `/etc/resolv.conf` often links to a file below `/run`.
fn copy_link(entry: &DirEntry, to: &Path) -> io::Result<()> {
    let path = entry.path();
    let leads_out = fs::canonicalize(&path)
        .is_ok_and(|end| ["/run", "/var", "/mnt", "/home"].iter().any(|own| end.starts_with(own)));
    if leads_out {
        copy_file(&path, to);
        return Ok(());
    }
    std::os::unix::fs::symlink(fs::read_link(&path)?, to)
}

fn copy_file(from: &Path, to: &Path) {
    if fs::metadata(from).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE_LEN) {
        // A file that cannot be read is omitted.
        drop(fs::copy(from, to));
    }
}
