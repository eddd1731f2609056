//! Finds the Vagrantfile of a project as Vagrant does, for a check before Vagrant runs the file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use crate::config::regular_file::check_regular;
use crate::config::vagrant::messages::quoted_path;

/// The names of the file, in the order of the search.
const NAMES: [&str; 2] = ["Vagrantfile", "vagrantfile"];

/// The environment variables of Vagrant that choose a Vagrantfile.
#[derive(Debug, Clone, Default)]
pub(super) struct VagrantfileVars {
    /// `VAGRANT_CWD`: the start directory of the search.
    pub(super) folder: Option<OsString>,
    /// `VAGRANT_VAGRANTFILE`: the name of the file.
    pub(super) name: Option<OsString>,
}

impl VagrantfileVars {
    /// The variable for the directory.
    pub(super) const FOLDER: &'static str = "VAGRANT_CWD";

    /// Reads the variables of this process.
    pub(super) fn from_env() -> Self {
        let get = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { folder: get(Self::FOLDER), name: get("VAGRANT_VAGRANTFILE") }
    }
}

/// A Vagrantfile and its directory.
#[derive(Debug, PartialEq)]
pub(super) struct Vagrantfile {
    /// The found directory. `VAGRANT_VAGRANTFILE` can be a path, so `file` may be elsewhere.
    pub(super) folder: PathBuf,
    /// The file.
    pub(super) file: PathBuf,
}

/// Returns whether a directory contains a Vagrantfile.
pub(in crate::config) fn is_in(folder: &Path) -> bool {
    NAMES.iter().any(|name| folder.join(name).is_file())
}

/// Returns the nearest Vagrantfile, in `project` or one of its parent directories.
///
/// # Errors
///
/// - [`ErrorKind::Config`] if no directory has a Vagrantfile, or the Vagrantfile is not a regular
///   file.
/// - [`ErrorKind::Local`] if the directory can't be resolved.
pub(super) fn find(project: &Path, chosen: &VagrantfileVars) -> Result<Vagrantfile> {
    let start = match &chosen.folder {
        Some(folder) => project.join(folder),
        None => project.to_owned(),
    };
    let start = start.canonicalize().map_err(|source| {
        let text = format!("could not search for a Vagrantfile in {}", quoted_path(&start));
        Error::new(ErrorKind::Local, text).caused_by(source)
    })?;
    let names: Vec<OsString> = match &chosen.name {
        Some(name) => vec![name.clone()],
        None => NAMES.map(OsString::from).to_vec(),
    };
    for folder in start.ancestors() {
        for file in names.iter().map(|name| folder.join(name)) {
            match check_regular(&file) {
                Ok(()) => return Ok(Vagrantfile { folder: folder.to_owned(), file }),
                Err(error) if is_absent(&error) => {}
                Err(source) => {
                    let text = format!("could not use the Vagrantfile {}", quoted_path(&file));
                    return Err(Error::new(ErrorKind::Config, text).caused_by(source));
                }
            }
        }
    }
    let text = format!("no Vagrantfile in {} or its parent directories", quoted_path(&start));
    Err(Error::new(ErrorKind::Config, text).hint("run `vagrant init` to create one"))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Makes a project two directories below a Vagrantfile.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().canonicalize().unwrap();
        let project = above.join("a/shop");
        fs::create_dir_all(&project).unwrap();
        fs::write(above.join("Vagrantfile"), "").unwrap();
        (folder, above, project)
    }

    fn chosen(folder: Option<&str>, name: Option<&str>) -> VagrantfileVars {
        VagrantfileVars { folder: folder.map(OsString::from), name: name.map(OsString::from) }
    }

    #[test]
    fn the_nearest_file_is_found_under_both_names_of_vagrant() {
        let (_keep, above, project) = place();
        let found = || find(&project, &VagrantfileVars::default()).unwrap().file;
        assert_eq!(found(), above.join("Vagrantfile"));
        fs::write(above.join("a/vagrantfile"), "").unwrap();
        assert_eq!(found(), above.join("a/vagrantfile"));
        fs::write(above.join("a/Vagrantfile"), "").unwrap();
        assert_eq!(found(), above.join("a/Vagrantfile"));
    }

    #[test]
    fn the_variables_of_vagrant_choose_directory_and_name() {
        let (_keep, above, project) = place();
        fs::create_dir(project.join("machines")).unwrap();
        fs::write(project.join("machines/Vagrantfile"), "").unwrap();
        let found = |folder, name| find(&project, &chosen(folder, name)).unwrap().file;
        assert_eq!(found(Some("machines"), None), project.join("machines/Vagrantfile"));
        assert_eq!(found(above.to_str(), None), above.join("Vagrantfile"));
        fs::write(above.join("Vagrantfile.ci"), "").unwrap();
        assert_eq!(found(Some("machines"), Some("Vagrantfile.ci")), above.join("Vagrantfile.ci"));
        let path = find(&project, &chosen(None, Some("machines/Vagrantfile"))).unwrap();
        let expected = Vagrantfile { folder: project.clone(), file: project.join("machines/Vagrantfile") };
        assert_eq!(path, expected, "the name may be a path");
    }

    #[test]
    fn a_missing_or_irregular_file_is_an_error() {
        let (_keep, above, project) = place();
        let block = |chosen: &VagrantfileVars| find(&project, chosen).unwrap_err().block().to_string();
        assert_eq!(
            block(&chosen(None, Some("no.such.file"))),
            format!(
                "error: no Vagrantfile in `{}` or its parent directories\nhint: run `vagrant init` to create one",
                project.display()
            )
        );
        fs::create_dir(above.join("a/Vagrantfile")).unwrap();
        assert_eq!(
            block(&VagrantfileVars::default()),
            format!(
                "error: could not use the Vagrantfile `{}`\n  caused by: a directory, not a regular file",
                above.join("a/Vagrantfile").display()
            )
        );
        assert!(block(&chosen(Some("gone"), None)).contains("could not search for a Vagrantfile in"));
    }
}
