//! [`LocalFile`]: a downloaded file or symlink, written to a temporary name and renamed.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RawMode, openat, renameat, symlinkat, unlinkat};

use super::local_path::{LocalPath, open_regular};
use super::temp_name;
use crate::error::Result;

/// The size in bytes of one read for the comparison of two files.
const COMPARE_CHUNK_SIZE: usize = 64 << 10;

/// The mode of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewMode {
    /// An exact mode, set by the task.
    Exact(u32),
    /// The mode on the host. The umask removes bits.
    OfHost(u32),
}

/// A file with a temporary name. The file is removed on drop.
#[derive(Debug)]
pub(crate) struct LocalFile {
    path: LocalPath,
    name: TemporaryName,
    file: File,
}

impl LocalFile {
    /// Creates an empty file in the directory of the target. Creates missing directories.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::ErrorKind::Local) if the file can't be created.
    pub(crate) fn create(path: &LocalPath, mode: NewMode) -> Result<Self> {
        const FLAGS: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);
        let (NewMode::Exact(bits) | NewMode::OfHost(bits)) = mode;
        let bits = bits & 0o777;
        let created = TemporaryName::create(path, |directory, name| {
            let file = File::from(openat(directory, name, FLAGS, Mode::from_raw_mode(bits as RawMode))?);
            if matches!(mode, NewMode::Exact(_)) {
                file.set_permissions(Permissions::from_mode(bits))?;
            }
            Ok(file)
        })?;
        Ok(Self { path: path.clone(), name: created.0, file: created.1 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::ErrorKind::Local) if the bytes can't be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| self.path.failed("write", source))
    }

    /// Appends a content, read to its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::ErrorKind::Local) if the content can't be read or written.
    pub(crate) fn write_all_of(&mut self, content: &mut dyn Read) -> Result<()> {
        io::copy(content, &mut self.file).map(drop).map_err(|source| self.path.failed("write", source))
    }

    /// Renames the file to its target, unless the target has equal content. Returns true if the
    /// file was renamed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::ErrorKind::Local) if the file can't be renamed.
    pub(crate) fn persist(self) -> Result<bool> {
        // A host without a checksum program sends equal files too.
        if self.target_is_equal().unwrap_or(false) {
            return Ok(false);
        }
        self.name.rename().map_err(|source| self.path.failed("write", source))?;
        Ok(true)
    }

    /// Returns true if the target has equal content.
    fn target_is_equal(&self) -> io::Result<bool> {
        let target = open_regular(&self.name.directory, &self.name.target)?;
        let size = self.file.metadata()?.len();
        if target.metadata()?.len() != size {
            return Ok(false);
        }
        let (mut one, mut other) = (vec![0; COMPARE_CHUNK_SIZE], vec![0; COMPARE_CHUNK_SIZE]);
        let mut at = 0;
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(COMPARE_CHUNK_SIZE).min(COMPARE_CHUNK_SIZE);
            let (Some(one), Some(other)) = (one.get_mut(..length), other.get_mut(..length)) else { return Ok(false) };
            self.file.read_exact_at(one, at)?;
            target.read_exact_at(other, at)?;
            if one != other {
                return Ok(false);
            }
            at += length as u64;
        }
        Ok(true)
    }
}

/// Writes a symlink atomically. Readers see the old file or the new symlink.
///
/// # Errors
///
/// [`ErrorKind::Local`](crate::ErrorKind::Local) if the symlink can't be written.
pub(crate) fn write_link(path: &LocalPath, content: &Path) -> Result<()> {
    let (name, ()) = TemporaryName::create(path, |directory, name| Ok(symlinkat(content, directory, name)?))?;
    name.rename().map_err(|source| path.failed("write", source))
}

/// A temporary name in the open directory of the target. The name is removed on drop.
///
/// The directory is opened once. If a symlink replaces the directory, the rename still affects the
/// opened directory.
#[derive(Debug)]
struct TemporaryName {
    directory: OwnedFd,
    temporary: String,
    target: OsString,
    exists: bool,
}

impl TemporaryName {
    /// Opens the directory, and creates a file or symlink in it.
    fn create<T>(path: &LocalPath, create: impl FnOnce(&OwnedFd, &str) -> io::Result<T>) -> Result<(Self, T)> {
        let failed = |source| path.failed("write", source);
        let temporary = temp_name::random()?;
        let (directory, target) = path.make_parent().map_err(failed)?;
        // Constructed before `create`, so that a partial creation is removed.
        let name = Self { directory, temporary, target: target.to_owned(), exists: true };
        let created = create(&name.directory, &name.temporary).map_err(failed)?;
        Ok((name, created))
    }

    /// Renames the file to the target.
    fn rename(mut self) -> io::Result<()> {
        renameat(&self.directory, &self.temporary, &self.directory, &self.target)?;
        self.exists = false;
        Ok(())
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        if self.exists {
            // `drop` can't report an error.
            let _removed = unlinkat(&self.directory, &self.temporary, AtFlags::empty());
        }
    }
}
