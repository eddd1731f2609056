//! Trust in everything that a tool is made of: its crates, cargo's settings, and all sources.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs_core::Error;

use crate::project_cache::ProjectCache;
use fabrs_project::FileTrust;
use fabrs_project::Project;

/// Files above the cache by which cargo and rustup choose programs to run.
const SETTINGS: [&str; 4] = [".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"];

/// Checks the settings of cargo and rustup for the whole machine. Those in cargo's home are not checked.
pub(crate) fn check_system_settings(trust: &FileTrust) -> Result<(), Error> {
    SETTINGS.iter().try_for_each(|name| {
        let file = Path::new("/").join(name);
        trust.check_existing(&file, &file)
    })
}

/// Checks a crate that the manifest block names by its path. Its build script and its macros run in the compiler, before
/// cargo has named all sources.
pub(crate) fn check_crate(trust: &FileTrust, folder: &Path) -> Result<(), Error> {
    trust.check_existing(folder, folder)?;
    for name in ["Cargo.toml", "build.rs"] {
        trust.check_existing(&folder.join(name), folder)?;
    }
    check_tree(trust, &folder.join("src"), folder)
}

fn check_tree(trust: &FileTrust, path: &Path, project: &Path) -> Result<(), Error> {
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
pub(crate) fn check_sources<'a>(
    trust: &FileTrust,
    project: &Project,
    cache: &ProjectCache,
    sources: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), Error> {
    for source in sources {
        if source.starts_with(&cache.target_folder) {
            continue;
        }
        let in_project = source.starts_with(&project.root);
        let folder = if in_project { &project.root } else { source.parent().unwrap_or(source) };
        trust.check_existing(source, folder)?;
    }
    Ok(())
}
