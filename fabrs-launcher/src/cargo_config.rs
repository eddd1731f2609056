//! What of the project's own cargo configuration is right for its tool.
//!
//! Cargo runs in the cache, where a project's `.cargo/config.toml` does not apply: its target, flags and wrappers are
//! meant for the project's program. Where crates come from does apply, or a tool could not be compiled behind a
//! company's mirror.

use std::io;
use std::path::{Path, PathBuf};

use fabrs_core::config::read_text;
use fabrs_core::{Error, ErrorKind};
use toml::{Table, Value};

use fabrs_project::FileTrust;

/// The tables that say where crates come from and how they are fetched.
const COPIED_TABLES: [&str; 5] = ["http", "net", "registries", "registry", "source"];

/// The keys of a source that name a folder of this machine.
const FOLDER_KEYS: [&str; 2] = ["directory", "local-registry"];

/// The settings of a project that cargo is given.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CargoConfig {
    /// They themselves.
    pub(crate) settings: Table,
    /// The files they were read from.
    pub(crate) files: Vec<PathBuf>,
}

impl CargoConfig {
    /// Reads the configuration that applies in a folder, nearest first, without that in cargo's home, which cargo
    /// reads by itself. A file of somebody else is an error: it chooses the code of dependencies.
    pub(crate) fn read(root: &Path, cargo_home: Option<&Path>, trust: &FileTrust) -> Result<Self, Error> {
        let mut config = Self::default();
        for folder in root.ancestors() {
            let dot_cargo = folder.join(".cargo");
            if cargo_home.is_some_and(|home| home == dot_cargo) {
                continue;
            }
            // Cargo prefers the old name where both are there.
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

/// Keeps what is to be taken of a file in the `.cargo` of a folder, with its paths made absolute.
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

/// Checks the folders on this machine that crates come from: build scripts in them run while cargo compiles.
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

/// Adds what a file further up says: single values only where nothing was said yet, lists before those nearer.
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
    fn only_where_crates_come_from_is_copied() {
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
    fn a_folder_of_crates_that_others_can_write_to_is_refused() {
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
    fn the_nearest_file_wins_and_the_old_name_before_the_new() {
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
    fn cargos_home_is_left_to_cargo() {
        let home = tempfile::tempdir().unwrap();
        config(home.path(), "config.toml", "[net]\nretry = 1");
        let found = CargoConfig::read(home.path(), Some(&home.path().join(".cargo")), &trust()).unwrap();
        assert_eq!(found, CargoConfig::default());
    }

    #[test]
    fn a_file_that_is_no_toml_is_named() {
        let root = tempfile::tempdir().unwrap();
        config(root.path(), "config.toml", "[net");
        let error = CargoConfig::read(root.path(), None, &trust()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(".cargo/config.toml"), "{error}");
    }
}
