//! Trust in everything that a tool is made of: the project, its crates, cargo's settings, and all sources.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs_core::config::check_regular;
use fabrs_core::{Error, ErrorKind};

use super::environment::Environment;
use super::find::Project;
use super::room::Room;
use crate::trust::Trust;

/// Files above the room by which cargo and rustup choose programs to run.
const SETTINGS: [&str; 4] = [".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"];

/// Checks the files of a project before anything is read from them: the folder, `tasks.rs` and `fabrs.toml`.
///
/// # Errors
///
/// [`ErrorKind::Usage`] naming a path that somebody else owns or can write to, and [`ErrorKind::Config`] if `tasks.rs` is
/// not a regular file or too large.
pub fn check_project(project: &Project, environment: &Environment) -> Result<(), Error> {
    let (trust, root) = (environment.trust(), &project.root);
    trust.check(&project.found, root)?;
    trust.check(root, root)?;
    check_regular(&project.tasks).map_err(|source| unreadable(&project.shown(environment.cwd()), source))?;
    trust.check_config(root).map(drop)
}

/// Makes the error for a `tasks.rs` that can't be read.
pub(super) fn unreadable(shown: &str, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Config, format!("could not read `{shown}`")).caused_by(source)
}

/// Checks the Vagrantfile that Vagrant is about to run, and its folder.
///
/// # Errors
///
/// [`ErrorKind::Usage`] as of [`check_project`].
pub(crate) fn check_vagrantfile(file: &Path) -> Result<(), Error> {
    let (trust, folder) = (Environment::of_process().trust(), file.parent().unwrap_or(file));
    trust.check(file, folder)?;
    trust.check(folder, folder)
}

/// Checks the settings of cargo and rustup for the whole machine. Those in cargo's home are not checked.
pub(super) fn check_settings(trust: &Trust) -> Result<(), Error> {
    SETTINGS.iter().try_for_each(|name| {
        let file = Path::new("/").join(name);
        trust.check_existing(&file, &file)
    })
}

/// Checks a crate that the manifest block names by its path. Its build script and its macros run in the compiler, before
/// cargo has named all sources.
pub(super) fn check_crate(trust: &Trust, folder: &Path) -> Result<(), Error> {
    trust.check_existing(folder, folder)?;
    for name in ["Cargo.toml", "build.rs"] {
        trust.check_existing(&folder.join(name), folder)?;
    }
    check_tree(trust, &folder.join("src"), folder)
}

fn check_tree(trust: &Trust, path: &Path, project: &Path) -> Result<(), Error> {
    trust.check_existing(path, project)?;
    // Cargo reports a folder that can't be listed. Symlinks to folders are not followed: they could form a loop.
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    for entry in fs::read_dir(path).into_iter().filter(|_| is_folder).flatten().flatten() {
        check_tree(trust, &entry.path(), project)?;
    }
    Ok(())
}

/// Checks the sources and manifests that cargo has named. Those that cargo generated in the cache are private already.
/// A build script may name inputs that don't exist.
pub(super) fn check_sources<'a>(
    trust: &Trust,
    project: &Project,
    room: &Room,
    sources: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), Error> {
    for source in sources {
        if source.starts_with(&room.target) {
            continue;
        }
        let in_project = source.starts_with(&project.root);
        let folder = if in_project { &project.root } else { source.parent().unwrap_or(source) };
        trust.check_existing(source, folder)?;
    }
    Ok(())
}
