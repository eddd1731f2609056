//! Trust in files: owner and write permission of a file, of the folders above, and of the symlinks to it.
//!
//! `fab` compiles and runs what it finds in a folder or above. In `/tmp/build` that can be the `/tmp/tasks.rs` of another
//! user. The rule is that of git's `safe.directory` and of `StrictModes` in sshd. A path is trusted if
//!
//! - its owner, and the owner of each folder above, is root or the user of this process, or under `sudo` the user who
//!   called it; and
//! - nobody else can write to it. A folder above may be sticky instead, as `/tmp` is, since nobody can replace the files
//!   of others there. A group that has the owner as its only member may write.
//!
//! `FABRS_TRUST` lists folders without this check, for unusual machines. A path that can't be looked at is refused.

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
/// Write permission for everybody.
const WORLD_WRITE: u32 = 0o002;
/// Only the owner of a file may rename or remove it.
const STICKY: u32 = 0o1000;

/// The users and folders that this process trusts.
///
/// It remembers the folders that passed, so that a check of many files costs little more than a `stat` each.
#[derive(Debug)]
pub struct FileTrust {
    users: TrustedUsers,
    /// Folders without a check, as canonical paths.
    exempt_folders: Vec<PathBuf>,
    /// `FABRS_TRUST` has a value, to which the hint of an error adds.
    has_list: bool,
    /// Folders that may stand above a trusted file.
    trusted_folders: RefCell<HashSet<PathBuf>>,
}

impl FileTrust {
    /// The variable that lists folders to use without a check.
    pub const VARIABLE: &str = "FABRS_TRUST";

    /// The variable in which sudo passes the user id of its caller.
    pub const SUDO_UID: &str = "SUDO_UID";

    /// Makes the trust of this process from its environment variables.
    pub fn from_env() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self::new(variable(Self::VARIABLE).as_deref(), variable(Self::SUDO_UID).as_deref())
    }

    /// Makes the trust of this process, given the values of `FABRS_TRUST` and `SUDO_UID`.
    ///
    /// `FABRS_TRUST` is a `:`-separated list of absolute folders. Relative and missing ones have no effect.
    pub fn new(exempt_folders: Option<&OsStr>, sudo_uid: Option<&OsStr>) -> Self {
        let folders = exempt_folders.map(env::split_paths).into_iter().flatten().filter(|folder| folder.is_absolute());
        Self {
            users: TrustedUsers::of_process(sudo_uid),
            exempt_folders: folders.filter_map(|folder| folder.canonicalize().ok()).collect(),
            has_list: exempt_folders.is_some(),
            trusted_folders: RefCell::default(),
        }
    }

    /// Checks the `fabrs.toml` of a folder, and the folder itself. Returns false if there is no such file: one that appears later
    /// must not be read.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
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

    /// Checks a file or a folder, all folders above, and each symlink on the way. `project` is the folder that the hint
    /// of an error names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] naming the path that somebody else owns or can write to, or that can't be looked at.
    pub fn check(&self, path: &Path, project: &Path) -> Result<()> {
        let path = std::path::absolute(path).map_err(|source| unreadable(path, source))?;
        for step in self.steps(&path).map_err(|source| unreadable(&path, source))? {
            if !self.is_exempt(&step) {
                self.check_resolved(&step).map_err(|untrusted| untrusted.error(&self.hint(project)))?;
            }
        }
        Ok(())
    }

    /// Checks a path as [`check`](Self::check) does, if it exists.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_existing(&self, path: &Path, project: &Path) -> Result<()> {
        if is_absent(path) { Ok(()) } else { self.check(path, project) }
    }

    /// Returns the symlinks that a path leads over, and its end.
    fn steps(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let known = path.parent().is_some_and(|parent| self.trusted_folders.borrow().contains(parent));
        if known && path.file_name().is_some() && !fs::symlink_metadata(path)?.is_symlink() {
            return Ok(vec![path.to_owned()]);
        }
        symlinks::resolve_steps(path)
    }

    /// Returns the line of a shell that adds a folder to the trusted ones. A folder that everybody can write to must not
    /// become one.
    fn hint(&self, project: &Path) -> String {
        let is_shared = fs::metadata(project).is_ok_and(|found| found.is_dir() && found.mode() & WORLD_WRITE != 0);
        if is_shared {
            return format!("work in a folder outside of `{}`", project.display());
        }
        let folder = project.to_string_lossy();
        let folder = quote(&folder).unwrap_or_else(|_| folder.clone());
        let list = if self.has_list { format!("\"${}\":", Self::VARIABLE) } else { String::new() };
        format!("to trust the folder: `export {}={list}{folder}`", Self::VARIABLE)
    }

    fn is_exempt(&self, path: &Path) -> bool {
        self.exempt_folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Checks a path without symlinks above its last component.
    fn check_resolved(&self, path: &Path) -> Result<(), Untrusted> {
        let found = stat(path)?;
        self.check_owner(path, &found)?;
        // The permissions of a symlink have no meaning.
        if !found.is_symlink() && is_writable_by_others(path, &found) {
            return Err(Untrusted::Writable(path.to_owned(), found.mode()));
        }
        for folder in path.ancestors().skip(1) {
            if self.trusted_folders.borrow().contains(folder) {
                break;
            }
            let found = stat(folder)?;
            self.check_owner(folder, &found)?;
            if found.mode() & STICKY == 0 && is_writable_by_others(folder, &found) {
                return Err(Untrusted::Writable(folder.to_owned(), found.mode()));
            }
        }
        // Recorded only now: a folder is trusted only together with all folders above it.
        self.trusted_folders.borrow_mut().extend(path.ancestors().skip(1).map(Path::to_owned));
        Ok(())
    }

    fn check_owner(&self, path: &Path, found: &Metadata) -> Result<(), Untrusted> {
        if self.users.contains(found.uid()) { Ok(()) } else { Err(Untrusted::Owner(path.to_owned(), found.uid())) }
    }
}

fn is_writable_by_others(path: &Path, found: &Metadata) -> bool {
    let mode = found.mode();
    mode & WORLD_WRITE != 0 || mode & GROUP_WRITE != 0 && !private_group::is_private(path, found)
}

/// Returns true if a path certainly does not exist. [`FileTrust::check`] reports any other error.
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

/// The reason why a path is not trusted.
#[derive(Debug)]
enum Untrusted {
    Owner(PathBuf, u32),
    Writable(PathBuf, u32),
    Unreadable(PathBuf, io::Error),
}

impl Untrusted {
    /// Makes the error, with a hint that ends with how to trust the path.
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
                    // Everybody needs to write to a sticky folder.
                    Ok(path) if mode & STICKY == 0 => format!("run `chmod go-w {path}`"),
                    _ => "move the project to a folder of its own".to_owned(),
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

    /// A folder that everybody may write to, with `mine/file` in it.
    fn place() -> (tempfile::TempDir, PathBuf) {
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

    fn give(path: &Path) {
        chown(path, Some(12345), None).unwrap();
    }

    fn trust(exempt_folders: &[&Path]) -> FileTrust {
        FileTrust::new(Some(&env::join_paths(exempt_folders).unwrap()), None)
    }

    #[test]
    fn a_sticky_folder_may_stand_above_a_file_but_not_hold_a_project() {
        let (_keep, shared) = place();
        let trust = trust(&[]);
        trust.check(&shared.join("mine/file"), &shared).unwrap();
        trust.check(&shared.join("mine"), &shared).unwrap();
        let error = trust.check(&shared, &shared).unwrap_err();
        assert_eq!(error.to_string(), format!("other users can write to `{}` (mode 1777)", shared.display()));
        let hint = error.advice().unwrap();
        let expected =
            format!("move the project to a folder of its own, or work in a folder outside of `{}`", shared.display());
        assert_eq!(hint, expected);
    }

    #[test]
    fn a_check_remembers_only_folders_that_passed_with_all_above() {
        let (_keep, shared) = place();
        fs::write(shared.join("mine/other"), "").unwrap();
        give(&shared);
        let trust = trust(&[]);
        for name in ["mine/file", "mine/other", "mine/file"] {
            let error = trust.check(&shared.join(name), &shared).unwrap_err();
            assert_eq!(error.to_string(), format!("`{}` belongs to another user (uid 12345)", shared.display()));
        }
        chown(&shared, Some(0), None).unwrap();
        trust.check(&shared.join("mine/file"), &shared).unwrap();
        give(&shared.join("mine/other"));
        trust.check(&shared.join("mine/other"), &shared).unwrap_err();
    }

    #[test]
    fn a_trusted_folder_exempts_what_lies_in_it_and_nothing_beside_it() {
        let (_keep, shared) = place();
        let file = shared.join("mine/file");
        give(&file);
        set_mode(&shared, 0o777);
        for trusted in [&shared, &shared.join("mine"), &shared.join("./mine/../mine/")] {
            trust(&[Path::new("/no such folder"), trusted]).check(&file, &shared).unwrap();
        }
        for other in ["min", "mine/fil", "mine/file2"] {
            trust(&[&shared.join(other)]).check(&file, &shared).unwrap_err();
        }
        let relative = FileTrust::new(Some(&OsString::from(":.:..:/..x")), None);
        relative.check(&file, &shared).unwrap_err();
        // A symlink beside the trusted folder is not in it, and a symlink in it leads out.
        symlink("mine/file", shared.join("link")).unwrap();
        trust(&[&shared.join("mine")]).check(&shared.join("link"), &shared).unwrap_err();
        fs::write(shared.join("file"), "").unwrap();
        symlink("../file", shared.join("mine/link")).unwrap();
        trust(&[&shared.join("mine")]).check(&shared.join("mine/link"), &shared).unwrap_err();
    }

    #[test]
    fn an_unreadable_path_is_refused_and_a_missing_path_is_skipped() {
        let (_keep, shared) = place();
        let trust = trust(&[]);
        trust.check_existing(&shared.join("gone"), &shared).unwrap();
        trust.check_existing(&shared.join("mine/file/gone"), &shared).unwrap();
        let long = shared.join("x".repeat(300));
        let error = trust.check_existing(&long, &shared).unwrap_err();
        assert_eq!(error.to_string(), format!("could not check the owner of `{}`", long.display()));
        trust.check(&shared.join("gone"), &shared).unwrap_err();
    }
}
