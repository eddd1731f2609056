//! A project's own folder in the cache.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind};

use crate::cache_error::write_error;
use crate::environment::ProcessEnvironment;
use crate::private_dir;
use crate::progress::{BuildEvent, BuildProgress};
use fabrs_project::FileTrust;
use fabrs_project::Project;

/// The paths of one project in the cache.
#[derive(Debug)]
pub(crate) struct ProjectCache {
    /// Package and binary are called so.
    pub(crate) package_name: String,
    /// The folder that cargo runs in.
    pub(crate) folder: PathBuf,
    /// What cargo compiles into, shared by all projects.
    pub(crate) target_folder: PathBuf,
    /// The folder of caches, which may hold those of other programs too.
    pub(crate) cache_folder: PathBuf,
}

impl ProjectCache {
    /// Returns the cache of a project, which may not exist yet.
    pub(crate) fn for_project(project: &Project, environment: &ProcessEnvironment) -> Result<Self, Error> {
        let cache_folder = environment.cache_folder().ok_or_else(|| {
            Error::new(ErrorKind::Local, "could not find a folder for the compiled tasks.rs")
                .hint("name one: `export FABRS_CACHE=$HOME/fabrs-cache`")
        })?;
        for path in [&project.tasks_file, &cache_folder] {
            // Neither a manifest nor cargo's messages can hold such a path.
            if path.to_str().is_none_or(|path| path.contains('\n')) {
                let path = path.display();
                return Err(Error::new(ErrorKind::Local, format!("the path {path:?} is not UTF-8 text on one line")));
            }
        }
        let fabrs = cache_folder.join("fabrs");
        let hash = project.hash();
        let cache = Self {
            package_name: format!("tasks-{hash}"),
            folder: fabrs.join("projects").join(hash),
            target_folder: fabrs.join("target"),
            cache_folder,
        };
        environment.file_trust().check_existing(&cache.cache_folder, &cache.cache_folder)?;
        for folder in cache.folders() {
            private_dir::check(&folder)?;
        }
        Ok(cache)
    }

    /// Returns the private folders, each after its parent folder.
    fn folders(&self) -> [PathBuf; 6] {
        let fabrs = self.cache_folder.join("fabrs");
        let inside = |name| self.folder.join(name);
        let projects = fabrs.join("projects");
        [fabrs, self.target_folder.clone(), projects, self.folder.clone(), inside("src"), inside("bin")]
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    pub(crate) fn cargo_lock(&self) -> PathBuf {
        self.folder.join("Cargo.lock")
    }

    /// The digest of the lock file that this one started as.
    pub(crate) fn cargo_lock_digest(&self) -> PathBuf {
        self.folder.join("seed")
    }

    pub(crate) fn main_rs(&self) -> PathBuf {
        self.folder.join("src/main.rs")
    }

    pub(crate) fn cargo_config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    pub(crate) fn build_record(&self) -> PathBuf {
        self.folder.join("build-record")
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.folder.join("bin").join(&self.package_name)
    }

    /// Makes the folders, for this user only: what is in them is run, and may hold a registry's token.
    pub(crate) fn create(&self, trust: &FileTrust) -> Result<(), Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.cache_folder);
        made.map_err(|error| write_error(&self.cache_folder.join("fabrs"), error))?;
        // Whoever owns a folder above could exchange the private ones.
        trust.check(&self.cache_folder, &self.cache_folder)?;
        self.folders().iter().try_for_each(|folder| private_dir::create(folder))
    }

    /// Takes the project's lock, waiting while another `fab` has it; it is freed with the file that is returned, and
    /// by the kernel when the process ends in any way.
    pub(crate) fn lock(&self, progress: &mut dyn BuildProgress) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let failed = |error| write_error(&path, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                progress.report(BuildEvent::Waiting);
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
