//! The manifests as a tar archive, for a dry run.

use std::path::Path;

use fabrs::{Error, ErrorKind};

/// Returns a tar archive with the files of a local directory.
///
/// # Errors
///
/// [`ErrorKind::Local`] if the directory cannot be read.
pub(super) fn archive_directory(directory: &Path) -> Result<Vec<u8>, Error> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    let written = archive.append_dir_all("", directory).and_then(|()| archive.into_inner());
    written.map_err(|error| {
        let text = format!("the directory {} cannot be read", directory.display());
        Error::new(ErrorKind::Local, text).caused_by(error)
    })
}
