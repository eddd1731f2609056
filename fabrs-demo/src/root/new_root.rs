//! The new root file system of a host, before `pivot_root` switches to it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A directory that becomes the root.
#[derive(Debug)]
pub(super) struct NewRoot {
    base: PathBuf,
}

impl NewRoot {
    pub(super) fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }

    /// Returns the current path of a file of the new root, before the switch.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Creates a directory and its parents. Returns the current path.
    pub(super) fn create_dir(&self, path: &str, mode: u32) -> io::Result<PathBuf> {
        let current_path = self.path(path);
        fs::create_dir_all(&current_path)?;
        fs::set_permissions(&current_path, Permissions::from_mode(mode))?;
        Ok(current_path)
    }

    /// Writes a file. Returns the current path.
    pub(super) fn write_file(&self, path: &str, text: &str, mode: u32) -> io::Result<PathBuf> {
        let current_path = self.path(path);
        fs::write(&current_path, text)?;
        fs::set_permissions(&current_path, Permissions::from_mode(mode))?;
        Ok(current_path)
    }

    /// Creates a symbolic link at `path` with the target `to`.
    pub(super) fn symlink(&self, to: impl AsRef<Path>, path: impl AsRef<Path>) -> io::Result<()> {
        symlink(to, self.path(path))
    }
}
