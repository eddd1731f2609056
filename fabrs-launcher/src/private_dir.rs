//! Private folders of the cache. `fab` runs programs in these folders without further checks.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use fabrs_core::{Error, ErrorKind};
use rustix::fs::OFlags;

use crate::cache_error::write_error;

/// The mode of a private folder.
const PRIVATE_MODE: u32 = 0o700;
/// The write permissions of the group and of others.
const OTHERS_WRITE: u32 = 0o022;

/// Creates a private folder, or checks the existing folder. The umask has no effect on the mode.
///
/// # Errors
///
/// [`ErrorKind::Local`] if the folder can't be created, and the errors of [`check`].
pub(crate) fn create(folder: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(PRIVATE_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(write_error(folder, error)),
        _ => check(folder),
    }
}

/// Checks a folder, if it exists, and removes the permissions of other users.
///
/// # Errors
///
/// [`ErrorKind::Local`] if the folder belongs to another user, or if other users can write to it.
/// In the second case, a change of the mode would not help, because other users may already have
/// written files.
pub(crate) fn check(folder: &Path) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(write_error(folder, error)),
    };
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || metadata.mode() & OTHERS_WRITE != 0 {
        let text = format!("the cache folder `{}` is not private", folder.display());
        let hint = "remove the folder, or set `FABRS_CACHE` to a folder that only you can write to";
        return Err(Error::new(ErrorKind::Local, text).hint(hint));
    }
    if metadata.mode() & 0o777 == PRIVATE_MODE {
        return Ok(());
    }
    restrict_mode(folder).map_err(|error| write_error(folder, error))
}

/// Sets the mode through a file descriptor. A path could be replaced by a symlink after the check.
fn restrict_mode(folder: &Path) -> io::Result<()> {
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
    let folder: File = OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    folder.set_permissions(Permissions::from_mode(PRIVATE_MODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(folder: &Path, mode: u32) {
        fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
    }

    fn mode(folder: &Path) -> u32 {
        fs::metadata(folder).unwrap().mode() & 0o777
    }

    #[test]
    fn a_folder_readable_by_others_becomes_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("fabrs");
        check(&folder).unwrap();
        create(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        for wider in [0o755, 0o711, 0o500] {
            set(&folder, wider);
            check(&folder).unwrap();
            assert_eq!(mode(&folder), 0o700, "{wider:o}");
        }
    }

    #[test]
    fn a_folder_writable_by_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("fabrs");
        create(&folder).unwrap();
        for wider in [0o777, 0o770, 0o702] {
            set(&folder, wider);
            assert_eq!(check(&folder).unwrap_err().kind(), ErrorKind::Local);
            assert_eq!(create(&folder).unwrap_err().kind(), ErrorKind::Local);
        }
        set(&folder, 0o700);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(check(&link).is_err(), "a symlink could be changed to another folder");
        std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
        assert!(check(&folder).is_err(), "a folder of another user");
    }
}
