//! Where the project is.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The name of the file that makes a folder a project.
const TASKS_FILE: &str = "tasks.rs";

/// A folder with a `tasks.rs` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The path under which the file was found. It may be a symlink.
    pub found_path: PathBuf,
    /// The file, as a canonical path.
    pub tasks_file: PathBuf,
    /// The folder it is in.
    pub root: PathBuf,
}

impl Project {
    /// Finds `tasks.rs` in a folder or in the nearest one above it.
    ///
    /// The file may have any kind and any owner: [`check_project`](crate::check_project) refuses an unsafe file. The search
    /// does not go on above a refused file.
    pub fn find(start: &Path) -> Option<Self> {
        let start = start.canonicalize().ok()?;
        let found =
            start.ancestors().map(|folder| folder.join(TASKS_FILE)).find(|file| file.symlink_metadata().is_ok())?;
        // The name may be a link: modules are looked for beside the file that it leads to, and so is everything else.
        Some(Self { found_path: found.clone(), ..Self::from_tasks_file(&found.canonicalize().ok()?)? })
    }

    /// Returns the project of a file, given by its canonical path.
    pub fn from_tasks_file(tasks: &Path) -> Option<Self> {
        Some(Self { found_path: tasks.to_owned(), tasks_file: tasks.to_owned(), root: tasks.parent()?.to_owned() })
    }

    /// Returns the name of the project in the cache: 16 hexadecimal digits that stand for its path and this version.
    ///
    /// The compiler is no part of it: cargo keeps the work of two compilers apart by itself, and a `fab` that finds no
    /// compiler must still find the tool.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.tasks_file.as_os_str().as_bytes());
        hash.update([0]);
        hash.update(env!("CARGO_PKG_VERSION"));
        HEXLOWER.encode(&hash.finalize()[..8])
    }

    /// Returns the file's path as a person standing in `cwd` would write it.
    pub fn display_path(&self, cwd: &Path) -> String {
        self.tasks_file.strip_prefix(cwd).unwrap_or(&self.tasks_file).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_file_is_found_from_below() {
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
        assert_eq!(Project::find(&root.join("shop/conf/nginx")).unwrap().root, root.join("shop/conf"), "of any kind");
    }

    #[test]
    fn a_link_leads_to_the_file() {
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
    fn another_path_has_another_hash() {
        let hash = |path| Project::from_tasks_file(Path::new(path)).unwrap().hash();
        assert_eq!(hash("/a/tasks.rs"), hash("/a/tasks.rs"));
        assert_ne!(hash("/a/tasks.rs"), hash("/b/tasks.rs"));
        assert_eq!(hash("/a/tasks.rs").len(), 16);
    }
}
