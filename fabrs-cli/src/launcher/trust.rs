//! Whose files are compiled and run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fabrs_core::{Error, ErrorKind};

use super::find::Project;

/// Others may write to it: by the group's or the world's permission.
const OTHERS_WRITE: u32 = 0o022;

/// Checks that a `tasks.rs` found above the folder we stand in is nobody's trap: in `/tmp/build`, `/tmp/tasks.rs` may be
/// anybody's. It has to belong to us, to root, or to whoever the folder we stand in belongs to.
///
/// # Errors
///
/// [`ErrorKind::Usage`] naming the file.
pub fn check_project(project: &Project, cwd: &Path) -> Result<(), Error> {
    let here = fs::canonicalize(cwd).unwrap_or_default();
    if here == project.root {
        return Ok(());
    }
    let (Ok(tasks), Ok(folder)) = (fs::metadata(&project.tasks), fs::metadata(&here)) else { return Ok(()) };
    if [me(), 0, folder.uid()].contains(&tasks.uid()) {
        return Ok(());
    }
    let text = format!("`{}` belongs to another user (uid {})", project.tasks.display(), tasks.uid());
    Err(Error::new(ErrorKind::Usage, text).hint(format!("to run it all the same: `cd {}`", project.root.display())))
}

/// Checks that nobody else can have put a tool into the cache: what is in it is run without another look.
///
/// # Errors
///
/// [`ErrorKind::Local`] naming the folder.
pub(super) fn check_cache<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
    for folder in folders {
        let Ok(found) = fs::symlink_metadata(folder) else { continue };
        if !found.is_dir() || found.uid() != me() || found.mode() & OTHERS_WRITE != 0 {
            let text = format!("the cache `{}` could hold what others have put there", folder.display());
            let hint = "it must be a folder of yours that nobody else can write to; `FABRS_CACHE=FOLDER` names another";
            return Err(Error::new(ErrorKind::Local, text).hint(hint));
        }
    }
    Ok(())
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_that_others_can_write_to_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("fabrs");
        assert!(check_cache([folder.as_path()]).is_ok(), "one that is not there yet will be ours");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(check_cache([folder.as_path()]).is_ok());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let error = check_cache([folder.as_path()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(check_cache([link.as_path()]).is_err(), "a link may be turned to another folder");
    }

    #[test]
    fn a_tasks_rs_above_must_belong_to_somebody_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(dir.path().join("tasks.rs"), "").unwrap();
        let project = super::super::find(&below).unwrap();
        assert!(check_project(&project, &below).is_ok(), "it is ours");
        if me() != 0 {
            // Only root can give a file to somebody else.
            return;
        }
        std::os::unix::fs::chown(&project.tasks, Some(12345), None).unwrap();
        let error = check_project(&project, &below).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(check_project(&project, dir.path()).is_ok(), "who stands beside it has chosen it");
        std::os::unix::fs::chown(&below, Some(12345), None).unwrap();
        assert!(check_project(&project, &below).is_ok(), "the whole project is somebody's");
    }
}
