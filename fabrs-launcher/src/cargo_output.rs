//! The parsed output of a `cargo build`: progress, artifacts and errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind};

use crate::cargo_messages::{Artifact, CargoMessage, Diagnostic, StatusLine, shorten_paths};
use crate::dep_info;
use crate::environment::ProcessEnvironment;
use crate::progress::{BuildEvent, BuildProgress};
use crate::project_cache::ProjectCache;

/// Texts in cargo's error messages about a network failure, in lower case.
const NETWORK_ERRORS: [&str; 6] = [
    "could not resolve host",
    "download of ",
    "failed to download",
    "network failure",
    "spurious network error",
    "unable to update registry",
];

/// The output of cargo up to now.
#[derive(Debug)]
pub(crate) struct CargoOutput<'a> {
    cache: &'a ProjectCache,
    environment: &'a ProcessEnvironment,
    /// The ids of the packages compiled up to now.
    done: BTreeSet<String>,
    /// The approximate number of all packages, or 0 before the first package.
    total: usize,
    executable: Option<PathBuf>,
    manifests: BTreeSet<PathBuf>,
    dep_infos: Vec<PathBuf>,
    /// True after an error message of the compiler.
    has_compiler_error: bool,
    is_linker_missing: bool,
    failed_crate: Option<String>,
    text: Vec<String>,
}

/// The files of a successful build.
#[derive(Debug)]
pub(crate) struct BuildArtifacts {
    /// The compiled program.
    pub(crate) executable: PathBuf,
    /// The manifests of all local packages.
    pub(crate) manifests: BTreeSet<PathBuf>,
    /// The dep-info files of the libraries in these packages.
    pub(crate) dep_infos: Vec<PathBuf>,
}

impl<'a> CargoOutput<'a> {
    pub(crate) fn new(cache: &'a ProjectCache, environment: &'a ProcessEnvironment) -> Self {
        Self {
            cache,
            environment,
            done: BTreeSet::new(),
            total: 0,
            executable: None,
            manifests: BTreeSet::new(),
            dep_infos: Vec::new(),
            has_compiler_error: false,
            is_linker_missing: false,
            failed_crate: None,
            text: Vec::new(),
        }
    }

    /// Reads a line of cargo's stdout.
    pub(crate) fn message(&mut self, line: &str, progress: &mut dyn BuildProgress) {
        match CargoMessage::parse(line) {
            Some(CargoMessage::Artifact(artifact)) => self.artifact(artifact),
            Some(CargoMessage::Diagnostic(diagnostic)) => self.diagnostic(&diagnostic, progress),
            None => {}
        }
    }

    /// Reads a line of cargo's stderr.
    pub(crate) fn status(&mut self, line: &str, progress: &mut dyn BuildProgress) {
        match StatusLine::parse(line) {
            Some(StatusLine::Compiling(name)) => {
                if self.total == 0 {
                    // Cargo writes the lock file before it compiles the first package.
                    self.total = count_packages(&fs::read_to_string(self.cache.cargo_lock()).unwrap_or_default());
                }
                let name = if name == self.cache.package_name { "tasks.rs" } else { name };
                progress.report(BuildEvent::Crate { done: self.done.len(), total: self.total, name });
            }
            Some(StatusLine::Busy(activity)) => progress.report(BuildEvent::Cargo(activity)),
            Some(StatusLine::Failed(name)) => {
                self.failed_crate.get_or_insert_with(|| name.to_owned());
            }
            Some(StatusLine::Text(text)) => self.text.push(text.to_owned()),
            None => {}
        }
    }

    fn artifact(&mut self, artifact: Artifact) {
        if artifact.is_local() {
            self.dep_infos.extend(dep_info::library_dep_info(&artifact.files));
            self.manifests.insert(artifact.manifest);
        }
        if artifact.executable.is_some() {
            self.executable = artifact.executable;
        }
        self.done.insert(artifact.package);
    }

    fn diagnostic(&mut self, diagnostic: &Diagnostic, progress: &mut dyn BuildProgress) {
        // The user can't fix a warning in another crate, so only errors of other crates are shown.
        let is_tasks_package = diagnostic.package.contains(&self.cache.package_name);
        if diagnostic.is_error {
            self.has_compiler_error = true;
            self.is_linker_missing |= diagnostic.text.contains("linker `") && diagnostic.text.contains("not found");
        }
        if is_tasks_package || diagnostic.is_error {
            let cwd = self.environment.cwd().to_string_lossy();
            progress.report(BuildEvent::Diagnostic(&shorten_paths(&diagnostic.text, &cwd)));
        }
    }

    /// Returns the files of a successful build.
    pub(crate) fn into_artifacts(self) -> Result<BuildArtifacts, Error> {
        let Self { executable, manifests, dep_infos, .. } = self;
        let executable =
            executable.ok_or_else(|| Error::new(ErrorKind::Internal, "cargo reported no executable for tasks.rs"))?;
        Ok(BuildArtifacts { executable, manifests, dep_infos })
    }

    /// Returns true if the compiler has reported the reason of a failure.
    pub(crate) fn has_compiler_error(&self) -> bool {
        self.has_compiler_error
    }

    /// Returns true if cargo could not reach the network. A build with `--offline` may succeed.
    pub(crate) fn is_network_error(&self) -> bool {
        let text = self.text.join("\n").to_lowercase();
        !self.has_compiler_error && NETWORK_ERRORS.iter().any(|words| text.contains(words))
    }

    /// Returns the error of a failed build. `shown` is the displayed path of `tasks.rs`.
    pub(crate) fn error(&self, shown: &str) -> Error {
        let message = match &self.failed_crate {
            Some(name) if *name != self.cache.package_name => {
                format!("could not compile `{name}`, a dependency of `{shown}`")
            }
            _ => format!("could not compile `{shown}`"),
        };
        let mut error = Error::new(ErrorKind::Compile, message);
        let text = self.cargo_error();
        if !self.has_compiler_error && !text.is_empty() {
            error = error.caused_by(std::io::Error::other(text));
        }
        if self.is_network_error() {
            error = error.hint("connect this machine to the network: new crates must be downloaded once");
        } else if self.is_linker_missing {
            error = error.hint("install a C compiler, the linker of Rust: `apt install gcc`");
        }
        error
    }

    /// Returns the error message of cargo. The name of the generated package is replaced by
    /// `tasks.rs`.
    fn cargo_error(&self) -> String {
        let folder = self.cache.folder.canonicalize().unwrap_or_else(|_| self.cache.folder.clone());
        let name = &self.cache.package_name;
        let names = BTreeMap::from([
            (format!("`{}`", folder.join("Cargo.toml").display()), "the generated manifest of tasks.rs".to_owned()),
            (format!("`{name} v0.0.0 ({})`", folder.display()), "tasks.rs".to_owned()),
            (format!("`{name}`"), "tasks.rs".to_owned()),
        ]);
        let first = self.text.iter().position(|line| line.starts_with("error")).unwrap_or(0);
        let text = self.text[first..].join("\n");
        let text = names.iter().fold(text, |text, (ugly, plain)| text.replace(ugly, plain));
        text.strip_prefix("error: ").unwrap_or(&text).to_owned()
    }
}

/// Counts the packages in a lock file.
fn count_packages(lock: &str) -> usize {
    lock.lines().filter(|line| *line == "[[package]]").count()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    struct RecordedEvents(Vec<String>);

    impl BuildProgress for RecordedEvents {
        fn allow_colour(&self) -> bool {
            false
        }

        fn report(&mut self, event: BuildEvent<'_>) {
            self.0.push(format!("{event:?}"));
        }
    }

    fn cache() -> ProjectCache {
        ProjectCache {
            package_name: "tasks-12".to_owned(),
            folder: "/c/12".into(),
            target_folder: "/c/target".into(),
            cache_folder: "/c".into(),
        }
    }

    fn message(package: &str, level: &str) -> String {
        format!(
            r#"{{"reason":"compiler-message","package_id":"{package}","message":{{"level":"{level}","message":"m","rendered":"r\n"}}}}"#
        )
    }

    #[test]
    fn a_compiler_error_is_reported_once() {
        let (cache, environment, mut events) = (cache(), ProcessEnvironment::new([], "/"), RecordedEvents(Vec::new()));
        let mut output = CargoOutput::new(&cache, &environment);
        output.message(&message("path+file:///c/12#tasks-12@0.0.0", "error"), &mut events);
        output.status("error: could not compile `tasks-12` (lib) due to 1 previous error", &mut events);
        assert_eq!(events.0, [r#"Diagnostic("r\n")"#]);
        let error = output.error("tasks.rs");
        assert_eq!(error.block().to_string(), "error: could not compile `tasks.rs`");
        assert_eq!(error.kind(), ErrorKind::Compile);
    }

    #[test]
    fn an_error_in_a_dependency_names_the_crate_and_a_warning_is_hidden() {
        let (cache, environment, mut events) = (cache(), ProcessEnvironment::new([], "/"), RecordedEvents(Vec::new()));
        let mut output = CargoOutput::new(&cache, &environment);
        output.message(&message("path+file:///fabrs#0.1.0", "warning"), &mut events);
        assert_eq!(events.0, Vec::<String>::new());
        output.message(&message("path+file:///shop#0.1.0", "error"), &mut events);
        output.status("error: could not compile `shop` (lib) due to 1 previous error", &mut events);
        assert_eq!(events.0.len(), 1);
        assert_eq!(output.error("tasks.rs").to_string(), "could not compile `shop`, a dependency of `tasks.rs`");
    }

    #[test]
    fn a_cargo_error_names_tasks_rs_and_not_the_generated_package() {
        let (cache, environment, mut events) = (cache(), ProcessEnvironment::new([], "/"), RecordedEvents(Vec::new()));
        let mut output = CargoOutput::new(&cache, &environment);
        for line in [
            "    Updating crates index",
            "error: no matching package named `shpo` found",
            "location searched: the registry",
            "required by package `tasks-12 v0.0.0 (/c/12)`",
        ] {
            output.status(line, &mut events);
        }
        let error = output.error("tasks.rs");
        assert_eq!(error.to_string(), "could not compile `tasks.rs`");
        let cause =
            "no matching package named `shpo` found\nlocation searched: the registry\nrequired by package tasks.rs";
        assert_eq!(error.source().unwrap().to_string(), cause);
        assert!(!output.is_network_error());
    }

    #[test]
    fn a_network_error_of_cargo_has_a_hint() {
        let (cache, environment, mut events) = (cache(), ProcessEnvironment::new([], "/"), RecordedEvents(Vec::new()));
        let mut output = CargoOutput::new(&cache, &environment);
        output
            .status("error: failed to get `semver` as a dependency of package `tasks-12 v0.0.0 (/c/12)`", &mut events);
        output.status("  [6] Could not resolve hostname (Could not resolve host: example.com)", &mut events);
        assert!(output.is_network_error());
        assert!(output.error("tasks.rs").hint_text().is_some());
    }

    #[test]
    fn the_packages_of_a_lock_file_are_counted() {
        assert_eq!(count_packages("version = 4\n\n[[package]]\nname = 'a'\n\n[[package]]\nname = 'b'\n"), 2);
    }
}
