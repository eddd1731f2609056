//! The generated cargo package around a `tasks.rs`.

use std::path::{Path, PathBuf};

use fabrs_project::Project;
use toml::{Table, Value};

use crate::manifest_block::ManifestBlock;
use crate::{cargo_profile, dependency_source};

/// The files of a generated package.
#[derive(Debug)]
pub(crate) struct GeneratedPackage {
    /// The content of `Cargo.toml`.
    pub(crate) manifest: String,
    /// The content of `src/main.rs`.
    pub(crate) main_rs: String,
    /// The lock file to start with. With the same versions, all projects share their compiled
    /// dependencies.
    pub(crate) cargo_lock_seed: Option<PathBuf>,
    /// The folders of all path dependencies.
    pub(crate) crates: Vec<PathBuf>,
}

impl GeneratedPackage {
    /// Creates the package `name`. `digest` is a digest of the sources.
    ///
    /// The digest is the name of an unused feature. Cargo compares modification times, and treats a
    /// file older than the compiled output as unchanged. `rsync -a` and `tar` create such files,
    /// and `fab` would then run the old tasks. With another feature list, cargo compiles the
    /// package again, and the names of the output files stay the same.
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
            // As the library target, `tasks.rs` supports `crate::` paths and inner attributes.
            ("lib", table([("name", "tasks".into()), ("path", tasks.as_ref().into())]).into()),
            ("dependencies", dependencies.into()),
            ("features", table([(&format!("sources-{digest}"), Value::Array(Vec::new()))]).into()),
            // A command without `.await` does nothing. As a warning, the mistake would only be
            // visible in the run that compiles.
            ("lints", table([("rust", table([("unused_must_use", "deny".into())]).into())]).into()),
            ("profile", table([("dev", cargo_profile::dev_profile(block.profile).into())]).into()),
            // A separate workspace, so that a workspace above the cache has no effect.
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

/// Returns the main program. `use tasks as _` links the library, and the tasks register themselves.
fn main_rs(project: &Project) -> String {
    let hash = project.hash();
    format!("use tasks as _;\n\nfn main() -> std::process::ExitCode {{\n    fabrs::main(\"{hash}\")\n}}\n")
}

/// Resolves the path of a dependency against the folder of `tasks.rs`.
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
    fn tasks_rs_is_the_library_of_its_own_package() {
        let (package, manifest) = package("");
        assert_eq!(manifest["package"]["name"].as_str(), Some("tasks-0123"));
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        assert_eq!(manifest["lib"]["path"].as_str(), Some("/my shop/tasks.rs"));
        assert!(manifest["workspace"].is_table());
        assert_eq!(manifest["lints"]["rust"]["unused_must_use"].as_str(), Some("deny"), "a missing await is an error");
        assert!(package.main_rs.contains("use tasks as _;"));
        assert!(package.cargo_lock_seed.unwrap().ends_with("Cargo.lock"));
    }

    #[test]
    fn dependency_paths_are_relative_to_tasks_rs() {
        let block = "//! ```cargo\n//! [package]\n//! edition = '2021'\n//! [dependencies]\n\
                     //! a.path = '../a'\n//! b = { version = '1', path = '/b' }\n//! c = '2'\n\
                     //! fabrs.path = 'vendor/fabrs'\n//! ```";
        let (package, manifest) = package(block);
        assert_eq!(manifest["dependencies"]["a"]["path"].as_str(), Some("/my shop/../a"));
        assert_eq!(manifest["dependencies"]["b"]["path"].as_str(), Some("/b"));
        assert_eq!(manifest["dependencies"]["c"].as_str(), Some("2"));
        assert_eq!(manifest["dependencies"]["fabrs"]["path"].as_str(), Some("/my shop/vendor/fabrs"));
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2021"));
        assert_eq!(package.crates, ["/my shop/../a", "/b", "/my shop/vendor/fabrs"].map(PathBuf::from));
    }

    #[test]
    fn the_manifest_depends_on_the_sources() {
        let project = Project::from_tasks_file(Path::new("/shop/tasks.rs")).unwrap();
        let manifest =
            |digest| GeneratedPackage::new(&project, "tasks-0123", ManifestBlock::default(), digest).manifest;
        assert_ne!(manifest("one"), manifest("two"));
    }
}
