//! Resolves the target path of an upload, and reads the metadata of the old file.

use russh_sftp::protocol::FileAttributes;

use super::path::{join, parent};
use super::request_error::RequestError;
use super::session::SftpSession;
use crate::transfer::entry::FileKind;
use crate::transfer::file_error::{IS_A_DIRECTORY, NO_DIRECTORY};

/// The bits of a mode that can be changed.
pub(crate) const MODE_BITS: u32 = 0o7777;
/// The maximum number of symlinks followed for a path, as in Linux.
const MAX_SYMLINKS: usize = 40;

/// Returns the kind of a file. Without a mode from the server, the kind is a regular file.
pub(crate) fn kind_of(attributes: &FileAttributes) -> FileKind {
    attributes.permissions.map_or(FileKind::File, FileKind::of_mode)
}

/// The resolved target of an upload.
#[derive(Debug)]
pub(crate) struct UploadTarget {
    /// The path for messages and results.
    pub(crate) shown: String,
    /// The path for the server. Symlinks are followed.
    pub(crate) path: String,
    /// The metadata of the old file.
    pub(crate) old: Option<FileAttributes>,
}

/// The state of a path on the host.
struct PathState {
    /// The metadata after following symlinks.
    there: Option<FileAttributes>,
    is_link: bool,
    has_folder: bool,
}

impl SftpSession {
    /// Returns the metadata of a path. Follows symlinks.
    pub(crate) async fn stat(&self, path: &str) -> Result<Option<FileAttributes>, RequestError> {
        match self.request(self.raw().stat(path)).await {
            Ok(found) => Ok(Some(found.attrs)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the metadata of a path. Does not follow a symlink.
    pub(crate) async fn lstat(&self, path: &str) -> Result<Option<FileAttributes>, RequestError> {
        match self.request(self.raw().lstat(path)).await {
            Ok(found) => Ok(Some(found.attrs)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Resolves the target of an upload. If the target is a directory, the file gets its own name
    /// in the directory.
    pub(crate) async fn target(&self, target: &str, name: &str) -> Result<UploadTarget, RequestError> {
        let mut shown = self.expanded(target).await?;
        if shown.ends_with('/') {
            shown.push_str(name);
        }
        let mut look = self.look(&self.path(&shown)).await?;
        if look.is_directory() && !name.is_empty() && !target.ends_with('/') {
            shown = join(&shown, name);
            look = self.look(&self.path(&shown)).await?;
        }
        let mut path = self.path(&shown);
        if look.is_link {
            path = self.followed(path).await?;
            look = self.look(&path).await?;
            if look.is_link {
                return Err(RequestError::message(format!("the symlink {shown} is broken")));
            }
            shown.clone_from(&path);
        }
        if look.is_directory() {
            return Err(RequestError::message(format!("{shown}{IS_A_DIRECTORY}")));
        }
        if !look.has_folder {
            return Err(RequestError::message(format!("{NO_DIRECTORY}{}", parent(&shown))));
        }
        Ok(UploadTarget { shown, path, old: look.there })
    }

    async fn look(&self, path: &str) -> Result<PathState, RequestError> {
        let (there, is_link, folder) = tokio::join!(self.stat(path), self.lstat(path), self.stat(parent(path)));
        let has_folder = folder?.is_some_and(|folder| kind_of(&folder) == FileKind::Directory);
        let is_link = is_link?.is_some_and(|itself| kind_of(&itself) == FileKind::Symlink);
        Ok(PathState { there: there?, is_link, has_folder })
    }

    /// Returns the path after following its symlinks.
    async fn followed(&self, mut path: String) -> Result<String, RequestError> {
        for _ in 0..MAX_SYMLINKS {
            let link = match self.request(self.raw().readlink(path.as_str())).await {
                Ok(link) => link,
                // The path is not a symlink, or does not exist.
                Err(RequestError::Rejected(_)) => return Ok(path),
                Err(error) => return Err(error),
            };
            let Some(to) = link.files.first().map(|file| file.filename.as_str()) else { return Ok(path) };
            path = if to.starts_with('/') { to.to_owned() } else { join(parent(&path), to) };
        }
        Ok(path)
    }
}

impl PathState {
    fn is_directory(&self) -> bool {
        self.there.as_ref().is_some_and(|there| kind_of(there) == FileKind::Directory)
    }
}
