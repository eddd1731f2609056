//! The cache folder of a project: paths, permissions and the lock.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind};
use fabrs_project::{FileTrust, Project};

use crate::cache_error::write_error;
use crate::environment::ProcessEnvironment;
use crate::private_dir;
use crate::progress::{BuildEvent, BuildProgress};

/// The paths of one project in the cache.
#[derive(Debug)]
pub(crate) struct ProjectCache {
    /// The name of the package and of the binary.
    pub(crate) package_name: String,
    /// The folder of the generated package.
    pub(crate) folder: PathBuf,
    /// The target folder of cargo, shared by all projects.
    pub(crate) target_folder: PathBuf,
    /// The folder of all caches. Other programs may use this folder too.
    pub(crate) cache_folder: PathBuf,
}

impl ProjectCache {
    /// Returns the cache of a project. This function does not create the folders.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] if there is no cache folder, if a path contains a line break or is not
    /// UTF-8, or if a folder is not private. [`ErrorKind::Usage`] if another user can write to the
    /// folder of all caches.
    pub(crate) fn for_project(project: &Project, environment: &ProcessEnvironment) -> Result<Self, Error> {
        let cache_folder = environment.cache_folder().ok_or_else(|| {
            Error::new(ErrorKind::Local, "found no cache folder for the compiled tasks.rs")
                .hint("set a folder: `export FABRS_CACHE=$HOME/fabrs-cache`")
        })?;
        for path in [&project.tasks_file, &cache_folder] {
            // A manifest and the messages of cargo can't hold such a path.
            if path.to_str().is_none_or(|path| path.contains('\n')) {
                let path = path.display();
                return Err(Error::new(
                    ErrorKind::Local,
                    format!("the path {path:?} contains a line break or is not UTF-8"),
                ));
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

    /// Returns the private folders. A parent folder precedes its children.
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

    /// Returns the path of the file with the digest of the copied lock file.
    pub(crate) fn cargo_lock_digest(&self) -> PathBuf {
        self.folder.join("cargo-lock-digest")
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

    /// Creates the folders with mode 0700. `fab` runs programs in these folders, and their files
    /// may contain a registry token.
    pub(crate) fn create(&self, trust: &FileTrust) -> Result<(), Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.cache_folder);
        made.map_err(|error| write_error(&self.cache_folder.join("fabrs"), error))?;
        // The owner of a parent folder could swap the private folders.
        trust.check(&self.cache_folder, &self.cache_folder)?;
        self.folders().iter().try_for_each(|folder| private_dir::create(folder))
    }

    /// Acquires the lock of the project, and waits while another process holds the lock.
    ///
    /// The lock is released when the returned file is dropped. The kernel releases the lock when
    /// the process ends.
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
            // Some network file systems don't support locks. Like cargo, continue without a lock.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
            _ => Ok(file),
        }
    }
}
