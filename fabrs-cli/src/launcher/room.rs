//! A project's own folder in the cache.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fabrs_core::{Error, ErrorKind};

use super::environment::Environment;
use super::find::Project;
use super::private;
use super::progress::{Note, Progress};
use crate::trust::Trust;

/// The paths of one project in the cache.
#[derive(Debug)]
pub(super) struct Room {
    /// Package and binary are called so.
    pub(super) name: String,
    /// The folder that cargo runs in.
    pub(super) folder: PathBuf,
    /// What cargo compiles into, shared by all projects.
    pub(super) target: PathBuf,
    /// The folder of caches, which may hold those of other programs too.
    pub(super) cache: PathBuf,
}

impl Room {
    /// Returns the room of a project, which may not exist yet.
    pub(super) fn of(project: &Project, environment: &Environment) -> Result<Self, Error> {
        let cache = environment.cache().ok_or_else(|| {
            Error::new(ErrorKind::Local, "could not find a folder for the compiled tasks.rs")
                .hint("name one: `export FABRS_CACHE=$HOME/fabrs-cache`")
        })?;
        for path in [&project.tasks, &cache] {
            // Neither a manifest nor cargo's messages can hold such a path.
            if path.to_str().is_none_or(|path| path.contains('\n')) {
                let path = path.display();
                return Err(Error::new(ErrorKind::Local, format!("the path {path:?} is not UTF-8 text on one line")));
            }
        }
        let fabrs = cache.join("fabrs");
        let hash = project.hash();
        let room = Self {
            name: format!("tasks-{hash}"),
            folder: fabrs.join("projects").join(hash),
            target: fabrs.join("target"),
            cache,
        };
        environment.trust().check_existing(&room.cache, &room.cache)?;
        for folder in room.folders() {
            private::check(&folder)?;
        }
        Ok(room)
    }

    /// Returns the private folders, each after its parent folder.
    fn folders(&self) -> [PathBuf; 6] {
        let fabrs = self.cache.join("fabrs");
        let inside = |name| self.folder.join(name);
        let projects = fabrs.join("projects");
        [fabrs, self.target.clone(), projects, self.folder.clone(), inside("src"), inside("bin")]
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    pub(super) fn dependency_lock(&self) -> PathBuf {
        self.folder.join("Cargo.lock")
    }

    /// The digest of the lock file that this one started as.
    pub(super) fn seed(&self) -> PathBuf {
        self.folder.join("seed")
    }

    pub(super) fn main(&self) -> PathBuf {
        self.folder.join("src/main.rs")
    }

    pub(super) fn cargo_config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    pub(super) fn stamp(&self) -> PathBuf {
        self.folder.join("stamp")
    }

    pub(super) fn binary(&self) -> PathBuf {
        self.folder.join("bin").join(&self.name)
    }

    /// Makes the folders, for this user only: what is in them is run, and may hold a registry's token.
    pub(super) fn create(&self, trust: &Trust) -> Result<(), Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.cache);
        made.map_err(|error| unwritable(&self.cache.join("fabrs"), error))?;
        // Whoever owns a folder above could exchange the private ones.
        trust.check(&self.cache, &self.cache)?;
        self.folders().iter().try_for_each(|folder| private::create(folder))
    }

    /// Takes the project's lock, waiting while another `fab` has it; it is freed with the file that is returned, and
    /// by the kernel when the process ends in any way.
    pub(super) fn lock(&self, progress: &mut dyn Progress) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let failed = |error| unwritable(&path, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                progress.note(Note::Waiting);
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        match locked {
            // Some network file systems have no locks; cargo's own way of doing without is to go on.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
            _ => Ok(file),
        }
    }
}

/// Says that something in the cache could not be written.
pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", path.display()))
        .caused_by(error)
        .hint("`FABRS_CACHE=FOLDER` puts what `fab` compiles somewhere else")
}
