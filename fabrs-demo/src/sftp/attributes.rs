//! Conversion between SFTP attributes and file metadata.

use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use russh_sftp::protocol::FileAttributes;

/// The changeable bits of a mode.
pub(super) const MODE_BITS: u32 = 0o7777;

/// Returns the SFTP attributes of a file.
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

/// Applies all given attributes to a file.
pub(super) fn apply(path: &Path, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        File::options().write(true).open(path)?.set_len(size)?;
    }
    // The owner is set before the mode, because `chown` clears the set-user-ID and set-group-ID
    // bits.
    if attributes.uid.is_some() || attributes.gid.is_some() {
        chown(path, attributes.uid, attributes.gid)?;
    }
    if let Some(mode) = attributes.permissions {
        fs::set_permissions(path, Permissions::from_mode(mode & MODE_BITS))?;
    }
    match times(attributes) {
        Some(times) => File::open(path)?.set_times(times),
        None => Ok(()),
    }
}

/// Applies all given attributes to an open file.
pub(super) fn apply_to_open_file(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        file.set_len(size)?;
    }
    if attributes.uid.is_some() || attributes.gid.is_some() {
        std::os::unix::fs::fchown(file, attributes.uid, attributes.gid)?;
    }
    if let Some(mode) = attributes.permissions {
        file.set_permissions(Permissions::from_mode(mode & MODE_BITS))?;
    }
    match times(attributes) {
        Some(times) => file.set_times(times),
        None => Ok(()),
    }
}

fn times(attributes: &FileAttributes) -> Option<FileTimes> {
    let time = |seconds: u32| UNIX_EPOCH + Duration::from_secs(seconds.into());
    let times = FileTimes::new();
    match (attributes.atime, attributes.mtime) {
        (None, None) => None,
        (accessed, modified) => {
            let times = accessed.map_or(times, |seconds| times.set_accessed(time(seconds)));
            Some(modified.map_or(times, |seconds| times.set_modified(time(seconds))))
        }
    }
}
