//! File trust: checks the owners and write permissions of a file, its parent folders and symlinks.
//!
//! `fab` compiles and runs a `tasks.rs` found in the working directory or above. In `/tmp/build`,
//! this could be the `/tmp/tasks.rs` of another user. The check has the same rule as git
//! (`safe.directory`) and sshd (`StrictModes`). A path is trusted if
//!
//! - the owner of the path and of each parent folder is root or the user of this process. Under
//!   `sudo`, the owner may also be the caller of `sudo`.
//! - no other user can write to the path or to a parent folder. A parent folder may be writable and
//!   sticky, like `/tmp`, because users can't replace each other's files there. The group may have
//!   write permission if the owner is its only member.
//!
//! `FABRS_TRUST` lists folders that are exempt from the check, for example on a machine with shared
//! project folders. A path is rejected if its metadata can't be read.

use std::cell::RefCell;
use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fabrs_core::config::Config;
use fabrs_core::shell::quote;
use fabrs_core::{Error, ErrorKind, Result};

use crate::trust::users::TrustedUsers;
use crate::trust::{private_group, symlinks};

/// Write permission for the group.
const GROUP_WRITE: u32 = 0o020;
/// Write permission for all users.
const WORLD_WRITE: u32 = 0o002;
/// The sticky bit of a folder: only the owner of a file may rename or remove the file.
const STICKY: u32 = 0o1000;

/// The trusted users and folders of a process.
///
/// A value caches the folders that passed a check. Checking many files then costs about one `stat`
/// for each file.
#[derive(Debug)]
pub struct FileTrust {
    users: TrustedUsers,
    /// Folders listed in `FABRS_TRUST`, as canonical paths.
    exempt_folders: Vec<PathBuf>,
    /// True if `FABRS_TRUST` is set. The hint of an error then adds a folder to the list.
    is_variable_set: bool,
    /// Folders that passed a check together with all folders above.
    trusted_folders: RefCell<HashSet<PathBuf>>,
}

impl FileTrust {
    /// The environment variable with the folders exempt from the check.
    pub const FABRS_TRUST: &str = "FABRS_TRUST";

    /// The environment variable with the user id of the caller of `sudo`, set by `sudo`.
    pub const SUDO_UID: &str = "SUDO_UID";

    /// Reads `FABRS_TRUST` and `SUDO_UID` from the environment of this process.
    pub fn from_env() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self::new(variable(Self::FABRS_TRUST).as_deref(), variable(Self::SUDO_UID).as_deref())
    }

    /// Creates the trust settings from the values of `FABRS_TRUST` and `SUDO_UID`.
    ///
    /// `FABRS_TRUST` is a list of absolute paths of folders, separated by `:`. Relative paths and
    /// missing folders are ignored.
    pub fn new(exempt_folders: Option<&OsStr>, sudo_uid: Option<&OsStr>) -> Self {
        let folders = exempt_folders.map(env::split_paths).into_iter().flatten().filter(|folder| folder.is_absolute());
        Self {
            users: TrustedUsers::for_process(sudo_uid),
            exempt_folders: folders.filter_map(|folder| folder.canonicalize().ok()).collect(),
            is_variable_set: exempt_folders.is_some(),
            trusted_folders: RefCell::default(),
        }
    }

    /// Checks the `fabrs.toml` of a folder, and the folder itself.
    ///
    /// Returns false if the file does not exist. The caller must then not read a file created
    /// later.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check).
    pub fn check_config(&self, folder: &Path) -> Result<bool> {
        let file = folder.join(Config::FILE);
        if is_absent(&file) {
            return Ok(false);
        }
        let folder = std::path::absolute(folder.join(".")).map_err(|source| unreadable(folder, source))?;
        self.check(&file, &folder)?;
        self.check(&folder, &folder)?;
        Ok(true)
    }

    /// Checks a file or folder, all parent folders, and each symlink in the path.
    ///
    /// `project` is the folder named in the hint of an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the path, if another user owns or can write to the path, or if its
    /// metadata can't be read.
    pub fn check(&self, path: &Path, project: &Path) -> Result<()> {
        let path = std::path::absolute(path).map_err(|source| unreadable(path, source))?;
        for step in self.steps(&path).map_err(|source| unreadable(&path, source))? {
            if !self.is_exempt(&step) {
                self.check_resolved(&step).map_err(|untrusted| untrusted.error(&self.hint(project)))?;
            }
        }
        Ok(())
    }

    /// Checks a path as [`check`](Self::check) does, if the path exists.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check).
    pub fn check_existing(&self, path: &Path, project: &Path) -> Result<()> {
        if is_absent(path) { Ok(()) } else { self.check(path, project) }
    }

    /// Returns the symlinks in a path, in order, and then the path of the final target.
    fn steps(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let known = path.parent().is_some_and(|parent| self.trusted_folders.borrow().contains(parent));
        if known && path.file_name().is_some() && !fs::symlink_metadata(path)?.is_symlink() {
            return Ok(vec![path.to_owned()]);
        }
        symlinks::resolve_steps(path)
    }

    /// Returns the hint to trust a folder, with a shell command. For a folder writable by all
    /// users, the hint recommends another folder.
    fn hint(&self, project: &Path) -> String {
        let is_shared =
            fs::metadata(project).is_ok_and(|metadata| metadata.is_dir() && metadata.mode() & WORLD_WRITE != 0);
        if is_shared {
            return format!("work in a folder outside of `{}`", project.display());
        }
        let folder = project.to_string_lossy();
        let folder = quote(&folder).unwrap_or_else(|_| folder.clone());
        let list = if self.is_variable_set { format!("\"${}\":", Self::FABRS_TRUST) } else { String::new() };
        format!("to trust the folder: `export {}={list}{folder}`", Self::FABRS_TRUST)
    }

    fn is_exempt(&self, path: &Path) -> bool {
        self.exempt_folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Checks a path without symlinks before its last component.
    fn check_resolved(&self, path: &Path) -> Result<(), Untrusted> {
        let metadata = stat(path)?;
        self.check_owner(path, &metadata)?;
        // The mode of a symlink has no effect, so only the mode of the target is checked.
        if !metadata.is_symlink() && is_writable_by_others(path, &metadata) {
            return Err(Untrusted::Writable(path.to_owned(), metadata.mode()));
        }
        for folder in path.ancestors().skip(1) {
            if self.trusted_folders.borrow().contains(folder) {
                break;
            }
            let metadata = stat(folder)?;
            self.check_owner(folder, &metadata)?;
            if metadata.mode() & STICKY == 0 && is_writable_by_others(folder, &metadata) {
                return Err(Untrusted::Writable(folder.to_owned(), metadata.mode()));
            }
        }
        // A folder is recorded only after all folders above have passed.
        self.trusted_folders.borrow_mut().extend(path.ancestors().skip(1).map(Path::to_owned));
        Ok(())
    }

    fn check_owner(&self, path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
        if self.users.contains(metadata.uid()) {
            Ok(())
        } else {
            Err(Untrusted::Owner(path.to_owned(), metadata.uid()))
        }
    }
}

fn is_writable_by_others(path: &Path, metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    mode & WORLD_WRITE != 0 || mode & GROUP_WRITE != 0 && !private_group::is_private(path, metadata)
}

/// Returns true if a path certainly does not exist. For any other error, [`FileTrust::check`]
/// reports the error.
fn is_absent(path: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    fs::symlink_metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Usage, format!("could not check the owner of `{}`", path.display())).caused_by(source)
}

fn stat(path: &Path) -> Result<Metadata, Untrusted> {
    fs::symlink_metadata(path).map_err(|source| Untrusted::Unreadable(path.to_owned(), source))
}

/// The reason for the rejection of a path.
#[derive(Debug)]
enum Untrusted {
    Owner(PathBuf, u32),
    Writable(PathBuf, u32),
    Unreadable(PathBuf, io::Error),
}

impl Untrusted {
    /// Converts the reason into an error. `trust` is the hint to trust the folder, appended to the
    /// hint of the error.
    fn error(self, trust: &str) -> Error {
        match self {
            Self::Owner(path, uid) => {
                let text = format!("`{}` belongs to another user (uid {uid})", path.display());
                Error::new(ErrorKind::Usage, text).hint(trust.to_owned())
            }
            Self::Writable(path, mode) => {
                let text = format!("other users can write to `{}` (mode {:04o})", path.display(), mode & 0o7777);
                let shown = path.to_string_lossy();
                let remedy = match quote(&shown) {
                    // A sticky folder such as `/tmp` must stay writable by all users, so `chmod` is
                    // not suggested.
                    Ok(path) if mode & STICKY == 0 => format!("run `chmod go-w {path}`"),
                    _ => "move the project to a private folder".to_owned(),
                };
                Error::new(ErrorKind::Usage, text).hint(format!("{remedy}, or {trust}"))
            }
            Self::Unreadable(path, source) => unreadable(&path, source).hint(trust.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// Creates a folder writable by all users, with `mine/file` inside.
    fn shared_folder() -> (tempfile::TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let shared = keep.path().canonicalize().unwrap().join("shared");
        fs::create_dir_all(shared.join("mine")).unwrap();
        fs::write(shared.join("mine/file"), "").unwrap();
        set_mode(&shared, 0o1777);
        (keep, shared)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn chown_to_stranger(path: &Path) {
        chown(path, Some(12345), None).unwrap();
    }

    fn trust(exempt_folders: &[&Path]) -> FileTrust {
        FileTrust::new(Some(&env::join_paths(exempt_folders).unwrap()), None)
    }

    #[test]
    fn a_sticky_folder_is_accepted_above_a_project_and_refused_as_a_project() {
        let (_keep, shared) = shared_folder();
        let trust = trust(&[]);
        trust.check(&shared.join("mine/file"), &shared).unwrap();
        trust.check(&shared.join("mine"), &shared).unwrap();
        let error = trust.check(&shared, &shared).unwrap_err();
        assert_eq!(error.to_string(), format!("other users can write to `{}` (mode 1777)", shared.display()));
        let hint = error.hint_text().unwrap();
        let expected =
            format!("move the project to a private folder, or work in a folder outside of `{}`", shared.display());
        assert_eq!(hint, expected);
    }

    #[test]
    fn a_folder_is_cached_only_after_all_folders_above_passed() {
        let (_keep, shared) = shared_folder();
        fs::write(shared.join("mine/other"), "").unwrap();
        chown_to_stranger(&shared);
        let trust = trust(&[]);
        for name in ["mine/file", "mine/other", "mine/file"] {
            let error = trust.check(&shared.join(name), &shared).unwrap_err();
            assert_eq!(error.to_string(), format!("`{}` belongs to another user (uid 12345)", shared.display()));
        }
        chown(&shared, Some(0), None).unwrap();
        trust.check(&shared.join("mine/file"), &shared).unwrap();
        chown_to_stranger(&shared.join("mine/other"));
        trust.check(&shared.join("mine/other"), &shared).unwrap_err();
    }

    #[test]
    fn a_trusted_folder_exempts_its_content_and_no_sibling() {
        let (_keep, shared) = shared_folder();
        let file = shared.join("mine/file");
        chown_to_stranger(&file);
        set_mode(&shared, 0o777);
        for trusted in [&shared, &shared.join("mine"), &shared.join("./mine/../mine/")] {
            trust(&[Path::new("/no such folder"), trusted]).check(&file, &shared).unwrap();
        }
        for other in ["min", "mine/fil", "mine/file2"] {
            trust(&[&shared.join(other)]).check(&file, &shared).unwrap_err();
        }
        let relative = FileTrust::new(Some(&OsString::from(":.:..:/..x")), None);
        relative.check(&file, &shared).unwrap_err();
        // `FABRS_TRUST` exempts only real paths below the folder. A symlink outside of the folder
        // is checked even if its target is inside. A target outside, reached through a symlink
        // inside, is checked, too.
        symlink("mine/file", shared.join("link")).unwrap();
        trust(&[&shared.join("mine")]).check(&shared.join("link"), &shared).unwrap_err();
        fs::write(shared.join("file"), "").unwrap();
        symlink("../file", shared.join("mine/link")).unwrap();
        trust(&[&shared.join("mine")]).check(&shared.join("mine/link"), &shared).unwrap_err();
    }

    #[test]
    fn an_unreadable_path_is_refused_and_a_missing_path_is_skipped() {
        let (_keep, shared) = shared_folder();
        let trust = trust(&[]);
        trust.check_existing(&shared.join("gone"), &shared).unwrap();
        trust.check_existing(&shared.join("mine/file/gone"), &shared).unwrap();
        let long = shared.join("x".repeat(300));
        let error = trust.check_existing(&long, &shared).unwrap_err();
        assert_eq!(error.to_string(), format!("could not check the owner of `{}`", long.display()));
        trust.check(&shared.join("gone"), &shared).unwrap_err();
    }
}
