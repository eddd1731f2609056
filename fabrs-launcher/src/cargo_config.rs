//! Cargo settings of the project that also apply to its tool.
//!
//! Cargo runs in `/`, so it does not read the project's `.cargo/config.toml`. This is intended for
//! the target, the flags and the wrappers, because these settings are for the project's own
//! program. The registries and sources must apply: behind a company mirror, the tool
//! could not be compiled without these settings. So the launcher copies them.

use std::io;
use std::path::{Path, PathBuf};

use fabrs_core::config::read_text;
use fabrs_core::{Error, ErrorKind};
use fabrs_project::FileTrust;
use toml::{Table, Value};

/// The tables with registries, sources and network settings.
const COPIED_TABLES: [&str; 5] = ["http", "net", "registries", "registry", "source"];

/// The keys of a source that name a local folder.
const FOLDER_KEYS: [&str; 2] = ["directory", "local-registry"];

/// The settings of a project for the build of its tool.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CargoConfig {
    /// The copied settings, with absolute paths.
    pub(crate) settings: Table,
    /// The files read for these settings.
    pub(crate) files: Vec<PathBuf>,
}

impl CargoConfig {
    /// Reads the settings that apply in the folder `root`. The file nearest to `root` has priority.
    ///
    /// Skips the file in the home of cargo, because cargo reads that file anyway. A file of another
    /// user is an error, because the settings select the code of dependencies.
    pub(crate) fn read(root: &Path, cargo_home: Option<&Path>, trust: &FileTrust) -> Result<Self, Error> {
        let mut config = Self::default();
        for folder in root.ancestors() {
            let dot_cargo = folder.join(".cargo");
            if cargo_home.is_some_and(|home| home == dot_cargo) {
                continue;
            }
            // If both files exist, cargo reads only the file with the old name.
            for file in ["config", "config.toml"].map(|name| dot_cargo.join(name)) {
                let unreadable = || Error::new(ErrorKind::Config, format!("could not read `{}`", file.display()));
                trust.check_existing(&file, &dot_cargo)?;
                let text = match read_text(&file) {
                    Ok(text) => text,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                    Err(error) => return Err(unreadable().caused_by(error)),
                };
                let table = toml::from_str(&text).map_err(|error| unreadable().caused_by(error))?;
                let table = copied_settings(table, folder);
                check_vendor_folders(trust, &table)?;
                merge_missing(&mut config.settings, table);
                config.files.push(file);
                break;
            }
        }
        Ok(config)
    }
}

/// Returns the copied tables of a settings file. Relative paths are resolved against `folder`.
fn copied_settings(mut table: Table, folder: &Path) -> Table {
    table.retain(|key, _| COPIED_TABLES.contains(&key));
    let sources = table.get_mut("source").and_then(Value::as_table_mut);
    for (_, source) in sources.into_iter().flat_map(Table::iter_mut) {
        for key in FOLDER_KEYS {
            make_absolute(source, key, folder);
        }
    }
    if let Some(http) = table.get_mut("http") {
        make_absolute(http, "cainfo", folder);
    }
    table
}

/// Checks the folders with vendored crates. Build scripts in these folders run during the build.
fn check_vendor_folders(trust: &FileTrust, settings: &Table) -> Result<(), Error> {
    let sources = settings.get("source").and_then(Value::as_table);
    for source in sources.into_iter().flat_map(Table::values) {
        for key in FOLDER_KEYS {
            if let Some(folder) = source.get(key).and_then(Value::as_str).map(Path::new) {
                trust.check_existing(folder, folder)?;
            }
        }
    }
    Ok(())
}

fn make_absolute(table: &mut Value, key: &str, folder: &Path) {
    if let Some(Value::String(path)) = table.get_mut(key) {
        *path = folder.join(&*path).to_string_lossy().into_owned();
    }
}

/// Adds settings of a file in a folder further up, as cargo does: the nearer value wins, and lists
/// are joined with the nearer items last.
fn merge_missing(near: &mut Table, far: Table) {
    for (key, far) in far {
        match (near.get_mut(&key), far) {
            (Some(Value::Table(near)), Value::Table(far)) => merge_missing(near, far),
            (Some(Value::Array(near)), Value::Array(far)) => {
                near.splice(0..0, far);
            }
            (Some(_), _) => {}
            (None, far) => {
                near.insert(key, far);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn trust() -> FileTrust {
        FileTrust::new(Some(std::env::temp_dir().as_os_str()), None)
    }

    fn config(folder: &Path, name: &str, text: &str) {
        fs::create_dir_all(folder.join(".cargo")).unwrap();
        fs::write(folder.join(".cargo").join(name), text).unwrap();
    }

    #[test]
    fn only_sources_and_network_settings_are_copied() {
        let root = tempfile::tempdir().unwrap();
        config(
            root.path(),
            "config.toml",
            "[build]\ntarget = 'nonsense'\nrustflags = ['-x']\n[source.crates-io]\nreplace-with = 'vendored'\n\
             [source.vendored]\ndirectory = 'vendor'\n[http]\ncainfo = 'ca.pem'\n[target.x]\nlinker = 'y'\n[env]\nA = '1'",
        );
        let found = CargoConfig::read(root.path(), None, &trust()).unwrap();
        let vendor = root.path().join("vendor");
        assert_eq!(found.settings.keys().collect::<Vec<_>>(), ["http", "source"]);
        assert_eq!(found.settings["source"]["vendored"]["directory"].as_str(), vendor.to_str());
        assert_eq!(found.settings["http"]["cainfo"].as_str(), root.path().join("ca.pem").to_str());
    }

    #[test]
    fn a_crate_folder_writable_by_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        config(root.path(), "config.toml", "[source.vendored]\ndirectory = 'vendor'\n");
        fs::create_dir(root.path().join("vendor")).unwrap();
        let trust = FileTrust::new(Some(root.path().join(".cargo").as_os_str()), None);
        CargoConfig::read(root.path(), None, &trust).unwrap();
        fs::set_permissions(root.path().join("vendor"), fs::Permissions::from_mode(0o777)).unwrap();
        let error = CargoConfig::read(root.path(), None, &trust).unwrap_err();
        assert!(error.to_string().contains("/vendor` (mode 0777)"), "{error}");
    }

    #[test]
    fn the_nearest_file_and_the_old_name_have_priority() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("project");
        config(outer.path(), "config.toml", "[net]\nretry = 1\noffline = true");
        config(&inner, "config", "[net]\nretry = 2");
        config(&inner, "config.toml", "[net]\nretry = 3");
        let found = CargoConfig::read(&inner, None, &trust()).unwrap();
        assert_eq!(found.settings["net"]["retry"].as_integer(), Some(2));
        assert_eq!(found.settings["net"]["offline"].as_bool(), Some(true));
        assert_eq!(found.files, [inner.join(".cargo/config"), outer.path().join(".cargo/config.toml")]);
    }

    #[test]
    fn the_file_in_the_home_of_cargo_is_skipped() {
        let home = tempfile::tempdir().unwrap();
        config(home.path(), "config.toml", "[net]\nretry = 1");
        let found = CargoConfig::read(home.path(), Some(&home.path().join(".cargo")), &trust()).unwrap();
        assert_eq!(found, CargoConfig::default());
    }

    #[test]
    fn an_error_names_the_invalid_file() {
        let root = tempfile::tempdir().unwrap();
        config(root.path(), "config.toml", "[net");
        let error = CargoConfig::read(root.path(), None, &trust()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(".cargo/config.toml"), "{error}");
    }
}
