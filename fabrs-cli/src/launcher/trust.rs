//! Whose files are compiled and run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fabrs_core::{Error, ErrorKind};

use super::find::Project;

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

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

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
