//! The [`Project`]: a folder with a `tasks.rs`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The name of the file that marks the folder of a project.
const TASKS_FILE: &str = "tasks.rs";

/// A folder with a `tasks.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// The path at which the search found `tasks.rs`. The path may be a symlink.
    pub found_path: PathBuf,
    /// The canonical path of `tasks.rs`.
    pub tasks_file: PathBuf,
    /// The folder of [`tasks_file`](Self::tasks_file).
    pub root: PathBuf,
}

impl Project {
    /// Finds `tasks.rs` in a folder or in the nearest folder above.
    ///
    /// The file may have any type and any owner, and the search ends at the first file. The caller
    /// must call [`check_project`](crate::check_project), which rejects an unsafe file.
    ///
    /// Returns `None` if no folder has a `tasks.rs`, or if `start` does not exist.
    ///
    /// ```
    /// use fabrs_project::Project;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let shop = dir.path().canonicalize()?;
    /// std::fs::create_dir(shop.join("conf"))?;
    /// std::fs::write(shop.join("tasks.rs"), "")?;
    /// let project = Project::find(&shop.join("conf")).unwrap();
    /// assert_eq!(project.root, shop);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn find(start: &Path) -> Option<Self> {
        let start = start.canonicalize().ok()?;
        let found =
            start.ancestors().map(|folder| folder.join(TASKS_FILE)).find(|file| file.symlink_metadata().is_ok())?;
        // For a symlink, the project is the folder of its target: rustc searches modules there.
        Some(Self { found_path: found.clone(), ..Self::from_tasks_file(&found.canonicalize().ok()?)? })
    }

    /// Returns the project of a `tasks.rs`, given the canonical path of the file.
    pub fn from_tasks_file(tasks: &Path) -> Option<Self> {
        Some(Self { found_path: tasks.to_owned(), tasks_file: tasks.to_owned(), root: tasks.parent()?.to_owned() })
    }

    /// Returns the name of the project in the cache: 16 hexadecimal digits, derived from the path
    /// of `tasks.rs` and the version of fabrs.
    ///
    /// The hash is independent of the compiler. Cargo separates the outputs of two compilers, and a
    /// cached tool must be found on a machine without a compiler.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.tasks_file.as_os_str().as_bytes());
        hash.update([0]);
        hash.update(env!("CARGO_PKG_VERSION"));
        HEXLOWER.encode(&hash.finalize()[..8])
    }

    /// Returns the path of `tasks.rs` for messages, relative to the folder `cwd` if possible.
    pub fn display_path(&self, cwd: &Path) -> String {
        self.tasks_file.strip_prefix(cwd).unwrap_or(&self.tasks_file).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_tasks_rs_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("shop/conf/nginx")).unwrap();
        fs::write(root.join("tasks.rs"), "").unwrap();
        fs::write(root.join("shop/tasks.rs"), "").unwrap();

        let found = Project::find(&root.join("shop/conf/nginx")).unwrap();
        assert_eq!((found.tasks_file, found.root), (root.join("shop/tasks.rs"), root.join("shop")));
        assert_eq!(Project::find(&root).unwrap().root, root);
        assert_eq!(Project::find(&root.join("gone")), None);
        fs::create_dir(root.join("shop/conf/tasks.rs")).unwrap();
        assert_eq!(
            Project::find(&root.join("shop/conf/nginx")).unwrap().root,
            root.join("shop/conf"),
            "a folder also ends the search"
        );
    }

    #[test]
    fn a_symlink_is_resolved_to_its_project() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/tasks.rs"), "").unwrap();
        std::os::unix::fs::symlink("a", root.join("b")).unwrap();
        assert_eq!(Project::find(&root.join("b")), Project::find(&root.join("a")));
        fs::create_dir(root.join("c")).unwrap();
        std::os::unix::fs::symlink("../a/tasks.rs", root.join("c/tasks.rs")).unwrap();
        let found = Project::find(&root.join("c")).unwrap();
        assert_eq!((found.found_path, found.root), (root.join("c/tasks.rs"), root.join("a")));
    }

    #[test]
    fn the_hash_depends_on_the_path() {
        let hash = |path| Project::from_tasks_file(Path::new(path)).unwrap().hash();
        assert_eq!(hash("/a/tasks.rs"), hash("/a/tasks.rs"));
        assert_ne!(hash("/a/tasks.rs"), hash("/b/tasks.rs"));
        assert_eq!(hash("/a/tasks.rs").len(), 16);
    }
}
