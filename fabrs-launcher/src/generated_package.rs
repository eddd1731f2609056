//! The package around a `tasks.rs`, which makes a tool of it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::manifest_block::ManifestBlock;
use crate::{cargo_profile, dependency_source};
use fabrs_project::Project;

/// The files of a generated package.
#[derive(Debug)]
pub(crate) struct GeneratedPackage {
    /// Its `Cargo.toml`.
    pub(crate) manifest: String,
    /// Its `src/main.rs`.
    pub(crate) main_rs: String,
    /// The `Cargo.lock` that it starts with, so that all projects share the dependencies that were compiled once.
    pub(crate) cargo_lock_seed: Option<PathBuf>,
    /// The folders of the crates that it names by their paths.
    pub(crate) crates: Vec<PathBuf>,
}

impl GeneratedPackage {
    /// Makes the package called `name`, whose sources have a given digest.
    ///
    /// The digest stands in the manifest, as a feature that nobody asks for, because cargo takes a file for unchanged
    /// when it is older than what was made from it: a `tasks.rs` that came by `rsync -a` or `tar` is, and yesterday's
    /// tasks would run. A package that declares other features is compiled again, and its files keep their names.
    pub(crate) fn new(project: &Project, name: &str, block: ManifestBlock, digest: &str) -> Self {
        let mut dependencies = block.dependencies;
        for dependency in dependencies.iter_mut().map(|(_, dependency)| dependency) {
            make_absolute(dependency, &project.root);
        }
        dependency_source::add_sources(&mut dependencies);
        let fabrs = dependencies.get("fabrs").and_then(|fabrs| fabrs.get("path"));
        let cargo_lock_seed = fabrs.and_then(Value::as_str).map(|path| Path::new(path).join("Cargo.lock"));
        let paths = dependencies.iter().filter_map(|(_, dependency)| dependency.get("path")?.as_str());
        let crates = paths.map(PathBuf::from).collect();

        let package = table([
            ("name", name.into()),
            ("version", "0.0.0".into()),
            ("edition", block.edition.unwrap_or_else(|| "2024".to_owned()).into()),
            ("publish", false.into()),
        ]);
        let tasks = project.tasks_file.to_string_lossy();
        let manifest = table([
            ("package", package.into()),
            // A library, and no module of main.rs: `crate::` and inner attributes mean what they say.
            ("lib", table([("name", "tasks".into()), ("path", tasks.as_ref().into())]).into()),
            ("dependencies", dependencies.into()),
            ("features", table([(&format!("sources-{digest}"), Value::Array(Vec::new()))]).into()),
            // A command that nobody awaits does nothing, and a warning is only seen by who compiles.
            ("lints", table([("rust", table([("unused_must_use", "deny".into())]).into())]).into()),
            ("profile", table([("dev", cargo_profile::dev_profile(block.profile).into())]).into()),
            // Its own root, whatever lies above the cache.
            ("workspace", table([("resolver", "3".into())]).into()),
        ]);
        Self {
            manifest: manifest.to_string(),
            main_rs: main_rs(project),
            cargo_lock_seed: cargo_lock_seed.filter(|cargo_lock_seed| cargo_lock_seed.is_file()),
            crates,
        }
    }
}

/// Returns the program, which names the library only to have it linked: tasks register themselves.
fn main_rs(project: &Project) -> String {
    let hash = project.hash();
    format!("use tasks as _;\n\nfn main() -> std::process::ExitCode {{\n    fabrs::main(\"{hash}\")\n}}\n")
}

/// Makes a dependency's path mean the same in the cache as beside `tasks.rs`.
fn make_absolute(dependency: &mut Value, root: &Path) {
    if let Some(Value::String(path)) = dependency.get_mut("path") {
        *path = root.join(&*path).to_string_lossy().into_owned();
    }
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(source: &str) -> (GeneratedPackage, Table) {
        let project = Project::from_tasks_file(Path::new("/my shop/tasks.rs")).unwrap();
        let package = GeneratedPackage::new(&project, "tasks-0123", ManifestBlock::read(source).unwrap(), "d1gest");
        let manifest = toml::from_str(&package.manifest).unwrap();
        (package, manifest)
    }

    #[test]
    fn the_file_is_the_library_of_a_package_of_its_own() {
        let (package, manifest) = package("");
        assert_eq!(manifest["package"]["name"].as_str(), Some("tasks-0123"));
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        assert_eq!(manifest["lib"]["path"].as_str(), Some("/my shop/tasks.rs"));
        assert!(manifest["workspace"].is_table());
        assert_eq!(
            manifest["lints"]["rust"]["unused_must_use"].as_str(),
            Some("deny"),
            "a forgotten await is no warning"
        );
        assert!(package.main_rs.contains("use tasks as _;"));
        assert!(package.cargo_lock_seed.unwrap().ends_with("Cargo.lock"));
    }

    #[test]
    fn paths_of_the_block_are_relative_to_the_file() {
        let block = "//! ```cargo\n//! [package]\n//! edition = '2021'\n//! [dependencies]\n//! a.path = '../a'\n\
                     //! b = { version = '1', path = '/b' }\n//! c = '2'\n//! fabrs.path = 'vendor/fabrs'\n//! ```";
        let (package, manifest) = package(block);
        assert_eq!(manifest["dependencies"]["a"]["path"].as_str(), Some("/my shop/../a"));
        assert_eq!(manifest["dependencies"]["b"]["path"].as_str(), Some("/b"));
        assert_eq!(manifest["dependencies"]["c"].as_str(), Some("2"));
        assert_eq!(manifest["dependencies"]["fabrs"]["path"].as_str(), Some("/my shop/vendor/fabrs"));
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2021"));
        assert_eq!(package.crates, ["/my shop/../a", "/b", "/my shop/vendor/fabrs"].map(PathBuf::from));
    }

    #[test]
    fn other_sources_make_another_manifest() {
        let project = Project::from_tasks_file(Path::new("/shop/tasks.rs")).unwrap();
        let manifest =
            |digest| GeneratedPackage::new(&project, "tasks-0123", ManifestBlock::default(), digest).manifest;
        assert_ne!(manifest("one"), manifest("two"));
    }
}
