//! Where a file that is put goes, and what is there.

use russh_sftp::protocol::FileAttributes;

use super::fault::Fault;
use super::path::{join, parent};
use super::session::Session;
use crate::files::entry::FileKind;
use crate::files::file_error::{IS_A_FOLDER, NO_FOLDER};

/// The bits of a mode that can be changed.
pub(super) const MODE: u32 = 0o7777;
/// How many symlinks may lead to another.
const LINKS: usize = 40;

/// Returns what kind of file something is; a server that does not say has nothing but files and folders.
pub(super) fn kind_of(attributes: &FileAttributes) -> FileKind {
    attributes.permissions.map_or(FileKind::File, FileKind::of_mode)
}

/// The place of a file on the host.
#[derive(Debug)]
pub(super) struct Target {
    /// Its path as it is shown.
    pub(super) shown: String,
    /// Its path for the server; of a symlink, where that leads.
    pub(super) path: String,
    /// What is there.
    pub(super) old: Option<FileAttributes>,
}

/// What is to know of a path.
struct Look {
    /// What it leads to.
    there: Option<FileAttributes>,
    is_link: bool,
    has_folder: bool,
}

impl Session {
    /// Returns what is at a path, following symlinks.
    pub(super) async fn stat(&self, path: &str) -> Result<Option<FileAttributes>, Fault> {
        match self.ask(self.raw().stat(path)).await {
            Ok(found) => Ok(Some(found.attrs)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Returns what is at a path itself.
    pub(super) async fn lstat(&self, path: &str) -> Result<Option<FileAttributes>, Fault> {
        match self.ask(self.raw().lstat(path)).await {
            Ok(found) => Ok(Some(found.attrs)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Finds out where a file goes that is put to `target`: as that, or under its own name in a folder.
    pub(super) async fn target(&self, target: &str, name: &str) -> Result<Target, Fault> {
        let mut shown = self.expanded(target).await?;
        if shown.ends_with('/') {
            shown.push_str(name);
        }
        let mut look = self.look(&self.path(&shown)).await?;
        if look.is_folder() && !name.is_empty() && !target.ends_with('/') {
            shown = join(&shown, name);
            look = self.look(&self.path(&shown)).await?;
        }
        let mut path = self.path(&shown);
        if look.is_link {
            path = self.followed(path).await?;
            look = self.look(&path).await?;
            if look.is_link {
                return Err(Fault::said(format!("the symlink {shown} leads nowhere")));
            }
            shown.clone_from(&path);
        }
        if look.is_folder() {
            return Err(Fault::said(format!("{shown}{IS_A_FOLDER}")));
        }
        if !look.has_folder {
            return Err(Fault::said(format!("{NO_FOLDER}{}", parent(&shown))));
        }
        Ok(Target { shown, path, old: look.there })
    }

    async fn look(&self, path: &str) -> Result<Look, Fault> {
        let (there, is_link, folder) = tokio::join!(self.stat(path), self.lstat(path), self.stat(parent(path)));
        let has_folder = folder?.is_some_and(|folder| kind_of(&folder) == FileKind::Folder);
        let is_link = is_link?.is_some_and(|itself| kind_of(&itself) == FileKind::Symlink);
        Ok(Look { there: there?, is_link, has_folder })
    }

    /// Returns where a symlink leads, as far as the links go.
    async fn followed(&self, mut path: String) -> Result<String, Fault> {
        for _ in 0..LINKS {
            let link = match self.ask(self.raw().readlink(path.as_str())).await {
                Ok(link) => link,
                // It is no link, or nothing: that is the end.
                Err(Fault::Refused(_)) => return Ok(path),
                Err(fault) => return Err(fault),
            };
            let Some(to) = link.files.first().map(|file| file.filename.as_str()) else { return Ok(path) };
            path = if to.starts_with('/') { to.to_owned() } else { join(parent(&path), to) };
        }
        Ok(path)
    }
}

impl Look {
    fn is_folder(&self) -> bool {
        self.there.as_ref().is_some_and(|there| kind_of(there) == FileKind::Folder)
    }
}
