//! Private folders of the cache: `fab` runs the programs in them without another check.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use fabrs_core::{Error, ErrorKind};
use rustix::fs::OFlags;

use crate::cache_error::write_error;

/// The permissions of a private folder.
const PRIVATE_MODE: u32 = 0o700;
/// Write permission for anybody else.
const OTHERS_WRITE: u32 = 0o022;

/// Makes a folder for this user alone, whatever the umask, or checks the existing one.
///
/// # Errors
///
/// [`ErrorKind::Local`] if it can't be made, and as [`check`].
pub(crate) fn create(folder: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(PRIVATE_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(write_error(folder, error)),
        _ => check(folder),
    }
}

/// Checks a folder that may not exist yet, and takes permissions of others from it.
///
/// # Errors
///
/// [`ErrorKind::Local`] if it is not a folder of this user, or others could write to it: what they have written stays.
pub(crate) fn check(folder: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(write_error(folder, error)),
    };
    let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || found.mode() & OTHERS_WRITE != 0 {
        let text = format!("the cache folder `{}` is not private", folder.display());
        let hint = "remove the folder, or set `FABRS_CACHE` to a folder that only you can write to";
        return Err(Error::new(ErrorKind::Local, text).hint(hint));
    }
    if found.mode() & 0o777 == PRIVATE_MODE {
        return Ok(());
    }
    restrict_mode(folder).map_err(|error| write_error(folder, error))
}

/// Sets the permissions by a descriptor, so that nobody can put a symlink in the folder's place meanwhile.
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
    fn a_folder_that_others_can_read_is_narrowed() {
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
    fn a_folder_that_others_could_write_to_is_not_used() {
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
        assert!(check(&link).is_err(), "a link may be turned to another folder");
        std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
        assert!(check(&folder).is_err(), "a folder of another user");
    }
}
