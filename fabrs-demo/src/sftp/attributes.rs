//! What SFTP says of a file, from and to the file system.

use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use russh_sftp::protocol::FileAttributes;

/// The bits of a mode that can be changed.
pub(super) const MODE_BITS: u32 = 0o7777;

/// Returns what is said of a file.
pub(super) fn from_metadata(metadata: &Metadata) -> FileAttributes {
    FileAttributes {
        size: Some(metadata.len()),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        permissions: Some(metadata.mode()),
        atime: u32::try_from(metadata.atime()).ok(),
        mtime: u32::try_from(metadata.mtime()).ok(),
        ..FileAttributes::default()
    }
}

/// Changes a file as far as something is said.
pub(super) fn apply(path: &Path, wanted: &FileAttributes) -> io::Result<()> {
    if let Some(size) = wanted.size {
        File::options().write(true).open(path)?.set_len(size)?;
    }
    // Before the mode: a change of owner takes its special bits away.
    if wanted.uid.is_some() || wanted.gid.is_some() {
        chown(path, wanted.uid, wanted.gid)?;
    }
    if let Some(mode) = wanted.permissions {
        fs::set_permissions(path, Permissions::from_mode(mode & MODE_BITS))?;
    }
    match times(wanted) {
        Some(times) => File::open(path)?.set_times(times),
        None => Ok(()),
    }
}

/// Changes an open file as far as something is said.
pub(super) fn apply_to_open_file(file: &File, wanted: &FileAttributes) -> io::Result<()> {
    if let Some(size) = wanted.size {
        file.set_len(size)?;
    }
    if wanted.uid.is_some() || wanted.gid.is_some() {
        std::os::unix::fs::fchown(file, wanted.uid, wanted.gid)?;
    }
    if let Some(mode) = wanted.permissions {
        file.set_permissions(Permissions::from_mode(mode & MODE_BITS))?;
    }
    match times(wanted) {
        Some(times) => file.set_times(times),
        None => Ok(()),
    }
}

fn times(wanted: &FileAttributes) -> Option<FileTimes> {
    let time = |seconds: u32| UNIX_EPOCH + Duration::from_secs(seconds.into());
    let times = FileTimes::new();
    match (wanted.atime, wanted.mtime) {
        (None, None) => None,
        (accessed, modified) => {
            let times = accessed.map_or(times, |seconds| times.set_accessed(time(seconds)));
            Some(modified.map_or(times, |seconds| times.set_modified(time(seconds))))
        }
    }
}
