//! [`LocalPath`]: a local path with a part chosen by a host. Each access stays below a root and
//! follows no symlink below the root.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::checksum::{Checksum, ChecksumBuilder};
use crate::error::{Error, ErrorKind, Result};

/// A local path: a root chosen by the user, and a part below the root with names of a host.
///
/// The root is opened like any path, and its symlinks are followed. The part below is opened
/// directory by directory, and a symlink there is an error. A check before the access is not
/// enough: another host may send a symlink between the check and the access.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LocalPath {
    root: PathBuf,
    /// Names only: no `..`, and no `/` at the start.
    below: PathBuf,
}

/// The handling of a missing directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fail,
    Create,
}

/// An open directory.
struct OpenDirectory {
    directory: OwnedFd,
    is_new: bool,
}

/// A symlink below the root.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is a symlink, and a host could have sent it", .0.display())]
struct Symlink(PathBuf);

impl LocalPath {
    /// Creates a path, or returns `None` if `below` leaves the root.
    pub(crate) fn new(root: PathBuf, below: &Path) -> Option<Self> {
        let mut names = PathBuf::new();
        for part in below.components() {
            match part {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(Self { root, below: names })
    }

    /// Returns the whole path, for messages and comparisons.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(&self.below).components().collect()
    }

    /// Returns the root, chosen by the user.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Checks that no directory below the root is a symlink. A missing directory passes the check.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] for a symlink.
    pub(crate) fn check(&self) -> Result<()> {
        match self.open_parent(Missing::Fail) {
            Err(source) if is_symlink(&source) => Err(self.failed("write", source)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Returns true if the path is a directory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] for a symlink, and if the path can't be opened.
    pub(crate) fn is_directory(&self) -> Result<bool> {
        match self.open(&self.below, Missing::Fail) {
            Ok(_) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.failed("open", source)),
        }
    }

    /// Creates the directory and its parents. Returns true if the directory is new.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] if a directory can't be created.
    pub(crate) fn create_directory(&self) -> Result<bool> {
        let opened = self.open(&self.below, Missing::Create).map_err(|source| self.failed("create", source))?;
        Ok(opened.is_new)
    }

    /// Opens the regular file at the path for reading.
    ///
    /// # Errors
    ///
    /// The errors of the system, and an error for a symlink or another file type.
    pub(crate) fn open_file(&self) -> io::Result<File> {
        open_regular(self.open_parent(Missing::Fail)?, self.name()?)
    }

    /// Computes the checksum of the file. Reading stops when `is_wanted` returns false.
    ///
    /// # Errors
    ///
    /// As [`open_file`](Self::open_file).
    pub(crate) fn sum(&self, buffer: &mut [u8], is_wanted: &dyn Fn() -> bool) -> io::Result<Checksum> {
        ChecksumBuilder::of_reader(&mut self.open_file()?, buffer, is_wanted)
    }

    /// Returns the target of the symlink at the path, or `None` for another file.
    pub(crate) fn read_link(&self) -> Option<PathBuf> {
        let directory = self.open_parent(Missing::Fail).ok()?;
        let content = readlinkat(directory, self.name().ok()?, Vec::new()).ok()?;
        Some(OsString::from_vec(content.into_bytes()).into())
    }

    /// Opens the parent directory of the file, and creates missing directories. Returns the
    /// directory and the name of the file.
    ///
    /// # Errors
    ///
    /// The errors of the system, and an error for a symlink.
    pub(crate) fn make_parent(&self) -> io::Result<(OwnedFd, &OsStr)> {
        let name = self.name()?;
        Ok((self.open_parent(Missing::Create)?, name))
    }

    /// Creates the error of a failed access.
    pub(crate) fn failed(&self, doing: &str, source: io::Error) -> Error {
        let error = Error::new(ErrorKind::Local, format!("could not {doing} `{}`", self.path().display()));
        if is_symlink(&source) {
            return error
                .caused_by(source)
                .hint("remove the symlink, or set the target to the directory that the symlink points to");
        }
        error.caused_by(source)
    }

    fn name(&self) -> io::Result<&OsStr> {
        self.below.file_name().ok_or_else(|| Errno::ISDIR.into())
    }

    /// Opens the parent directory of the file.
    fn open_parent(&self, missing: Missing) -> io::Result<OwnedFd> {
        let directory = self.below.parent().unwrap_or(Path::new(""));
        self.open(directory, missing).map(|opened| opened.directory)
    }

    /// Opens a directory below the root.
    fn open(&self, directory: &Path, missing: Missing) -> io::Result<OpenDirectory> {
        let mut path = if self.root.as_os_str().is_empty() { PathBuf::from(".") } else { self.root.clone() };
        let is_new = missing == Missing::Create && !path.exists();
        if is_new {
            std::fs::create_dir_all(&path)?;
        }
        let mut opened = OpenDirectory { directory: openat(CWD, &path, DIRECTORY, Mode::empty())?, is_new };
        for name in directory {
            path.push(name);
            opened = opened.enter(name, missing).map_err(|errno| opened.refusal(&path, name, errno))?;
        }
        Ok(opened)
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl OpenDirectory {
    /// Opens a subdirectory.
    fn enter(&self, name: &OsStr, missing: Missing) -> rustix::io::Result<Self> {
        let open = || openat(&self.directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let (opened, is_new) = match (open(), missing) {
            (Err(Errno::NOENT), Missing::Create) => {
                let is_new = match mkdirat(&self.directory, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                    Ok(()) => true,
                    // A concurrent transfer has created the directory.
                    Err(Errno::EXIST) => false,
                    Err(errno) => return Err(errno),
                };
                (open(), is_new)
            }
            (opened, _) => (opened, false),
        };
        Ok(Self { directory: opened?, is_new })
    }

    /// Returns the error of a failed open. The error numbers for a symlink differ between systems.
    fn refusal(&self, path: &Path, name: &OsStr, errno: Errno) -> io::Error {
        match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                io::Error::other(Symlink(path.to_owned()))
            }
            _ => errno.into(),
        }
    }
}

/// Returns true if a symlink has caused the error.
fn is_symlink(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Symlink>())
}

/// Opens a regular file in a directory for reading. Pipes would block, and devices may have no end.
pub(crate) fn open_regular(directory: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(directory, name, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::INVAL.into()) }
}
