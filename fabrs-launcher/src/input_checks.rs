//! Owner checks of build inputs: crates, cargo settings and sources.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs_core::Error;
use fabrs_project::{FileTrust, Project};

use crate::project_cache::ProjectCache;

/// Settings files in `/` by which cargo and rustup select programs to run.
const SETTINGS: [&str; 4] = [".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"];

/// Checks the cargo and rustup settings in `/`. Settings in the home of cargo are not checked.
pub(crate) fn check_system_settings(trust: &FileTrust) -> Result<(), Error> {
    SETTINGS.iter().try_for_each(|name| {
        let file = Path::new("/").join(name);
        trust.check_existing(&file, &file)
    })
}

/// Checks a path dependency before the build.
///
/// The build script and macros of the crate run during the build, before cargo has listed all
/// sources.
pub(crate) fn check_crate(trust: &FileTrust, folder: &Path) -> Result<(), Error> {
    trust.check_existing(folder, folder)?;
    for name in ["Cargo.toml", "build.rs"] {
        trust.check_existing(&folder.join(name), folder)?;
    }
    check_tree(trust, &folder.join("src"), folder)
}

fn check_tree(trust: &FileTrust, path: &Path, project: &Path) -> Result<(), Error> {
    trust.check_existing(path, project)?;
    // Cargo reports an unreadable folder. Symlinks to folders could form a loop, so the walk does
    // not follow them.
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    for entry in fs::read_dir(path).into_iter().filter(|_| is_folder).flatten().flatten() {
        check_tree(trust, &entry.path(), project)?;
    }
    Ok(())
}

/// Checks the sources and manifests listed by cargo.
///
/// Skips files generated in the target folder, because the cache is private. A missing file is
/// accepted, because a build script may list inputs that don't exist.
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
