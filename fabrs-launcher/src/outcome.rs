//! The result of a run of cargo, read line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind};

use crate::dep_info;
use crate::environment::ProcessEnvironment;
use crate::messages::{Artifact, Diagnostic, Message, Status, shorten};
use crate::progress::{BuildEvent, BuildProgress};
use crate::project_cache::ProjectCache;

/// Words in the errors of cargo without a network.
const NETWORK: [&str; 6] = [
    "could not resolve host",
    "download of ",
    "failed to download",
    "network failure",
    "spurious network error",
    "unable to update registry",
];

/// The output of cargo so far.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    room: &'a ProjectCache,
    environment: &'a ProcessEnvironment,
    /// The number of compiled packages.
    done: BTreeSet<String>,
    /// The approximate number of all packages.
    total: usize,
    executable: Option<PathBuf>,
    manifests: BTreeSet<PathBuf>,
    dep_infos: Vec<PathBuf>,
    /// True after an error message of the compiler.
    explained: bool,
    no_linker: bool,
    broken: Option<String>,
    text: Vec<String>,
}

/// The files of a successful build.
#[derive(Debug)]
pub(crate) struct Built {
    /// The program.
    pub(crate) executable: PathBuf,
    /// The manifests of all local packages.
    pub(crate) manifests: BTreeSet<PathBuf>,
    /// The dep-info files of their libraries.
    pub(crate) dep_infos: Vec<PathBuf>,
}

impl<'a> Outcome<'a> {
    pub(crate) fn new(room: &'a ProjectCache, environment: &'a ProcessEnvironment) -> Self {
        Self {
            room,
            environment,
            done: BTreeSet::new(),
            total: 0,
            executable: None,
            manifests: BTreeSet::new(),
            dep_infos: Vec::new(),
            explained: false,
            no_linker: false,
            broken: None,
            text: Vec::new(),
        }
    }

    /// Reads a line of cargo's stdout.
    pub(crate) fn message(&mut self, line: &str, progress: &mut dyn BuildProgress) {
        match Message::parse(line) {
            Some(Message::Artifact(artifact)) => self.artifact(artifact),
            Some(Message::Diagnostic(diagnostic)) => self.diagnostic(&diagnostic, progress),
            None => {}
        }
    }

    /// Reads a line of cargo's stderr.
    pub(crate) fn status(&mut self, line: &str, progress: &mut dyn BuildProgress) {
        match Status::parse(line) {
            Some(Status::Compiling(name)) => {
                if self.total == 0 {
                    // Cargo writes the lock file before it compiles the first package.
                    self.total = packages(&fs::read_to_string(self.room.dependency_lock()).unwrap_or_default());
                }
                let name = if name == self.room.name { "tasks.rs" } else { name };
                progress.report(BuildEvent::Crate { done: self.done.len(), total: self.total, name });
            }
            Some(Status::Busy(what)) => progress.report(BuildEvent::Cargo(what)),
            Some(Status::Broken(name)) => {
                self.broken.get_or_insert_with(|| name.to_owned());
            }
            Some(Status::Text(text)) => self.text.push(text.to_owned()),
            None => {}
        }
    }

    fn artifact(&mut self, artifact: Artifact) {
        if artifact.is_local() {
            self.dep_infos.extend(dep_info::of_library(&artifact.files));
            self.manifests.insert(artifact.manifest);
        }
        if artifact.executable.is_some() {
            self.executable = artifact.executable;
        }
        self.done.insert(artifact.package);
    }

    fn diagnostic(&mut self, diagnostic: &Diagnostic, progress: &mut dyn BuildProgress) {
        // Warnings about other files are for the authors of those files.
        let ours = diagnostic.package.contains(&self.room.name);
        if diagnostic.fatal {
            self.explained = true;
            self.no_linker |= diagnostic.text.contains("linker `") && diagnostic.text.contains("not found");
        }
        if ours || diagnostic.fatal {
            let cwd = self.environment.cwd().to_string_lossy();
            progress.report(BuildEvent::Diagnostic(&shorten(&diagnostic.text, &cwd)));
        }
    }

    /// Returns the files of a successful build.
    pub(crate) fn built(self) -> Result<Built, Error> {
        let Self { executable, manifests, dep_infos, .. } = self;
        let executable = executable
            .ok_or_else(|| Error::new(ErrorKind::Internal, "cargo did not say where it put the compiled tasks.rs"))?;
        Ok(Built { executable, manifests, dep_infos })
    }

    /// Returns true if the compiler has explained the failure.
    pub(crate) fn is_explained(&self) -> bool {
        self.explained
    }

    /// Returns true if the build failed without a network, and can be tried offline.
    pub(crate) fn wants_network(&self) -> bool {
        let text = self.text.join("\n").to_lowercase();
        !self.explained && NETWORK.iter().any(|words| text.contains(words))
    }

    /// Returns the error of a failed build. `shown` is the path of the file for messages.
    pub(crate) fn failure(&self, shown: &str) -> Error {
        let what = match &self.broken {
            Some(name) if *name != self.room.name => format!("could not compile `{name}`, which `{shown}` needs"),
            _ => format!("could not compile `{shown}`"),
        };
        let mut error = Error::new(ErrorKind::Compile, what);
        let text = self.explanation();
        if !self.explained && !text.is_empty() {
            error = error.caused_by(std::io::Error::other(text));
        }
        if self.wants_network() {
            error = error.hint("the network is needed once for each crate that is new to this machine");
        } else if self.no_linker {
            error = error.hint("Rust links with a C compiler: install one, for instance `apt install gcc`");
        }
        error
    }

    /// Returns the error message of cargo, with the name of the file in place of the generated package.
    fn explanation(&self) -> String {
        let folder = self.room.folder.canonicalize().unwrap_or_else(|_| self.room.folder.clone());
        let name = &self.room.name;
        let names = BTreeMap::from([
            (format!("`{}`", folder.join("Cargo.toml").display()), "the manifest made for tasks.rs".to_owned()),
            (format!("`{name} v0.0.0 ({})`", folder.display()), "tasks.rs".to_owned()),
            (format!("`{name}`"), "tasks.rs".to_owned()),
        ]);
        let first = self.text.iter().position(|line| line.starts_with("error")).unwrap_or(0);
        let text = self.text[first..].join("\n");
        let text = names.iter().fold(text, |text, (ugly, plain)| text.replace(ugly, plain));
        text.strip_prefix("error: ").unwrap_or(&text).to_owned()
    }
}

/// Counts the packages of a lock file.
fn packages(lock: &str) -> usize {
    lock.lines().filter(|line| *line == "[[package]]").count()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    struct Heard(Vec<String>);

    impl BuildProgress for Heard {
        fn allow_colour(&self) -> bool {
            false
        }

        fn report(&mut self, event: BuildEvent<'_>) {
            self.0.push(format!("{event:?}"));
        }
    }

    fn room() -> ProjectCache {
        ProjectCache {
            name: "tasks-12".to_owned(),
            folder: "/c/12".into(),
            target: "/c/target".into(),
            cache: "/c".into(),
        }
    }

    fn message(package: &str, level: &str) -> String {
        format!(
            r#"{{"reason":"compiler-message","package_id":"{package}","message":{{"level":"{level}","message":"m","rendered":"r\n"}}}}"#
        )
    }

    #[test]
    fn an_explanation_of_the_compiler_is_shown_and_not_repeated() {
        let (room, environment, mut heard) = (room(), ProcessEnvironment::new([], "/"), Heard(Vec::new()));
        let mut outcome = Outcome::new(&room, &environment);
        outcome.message(&message("path+file:///c/12#tasks-12@0.0.0", "error"), &mut heard);
        outcome.status("error: could not compile `tasks-12` (lib) due to 1 previous error", &mut heard);
        assert_eq!(heard.0, [r#"Diagnostic("r\n")"#]);
        let failure = outcome.failure("tasks.rs");
        assert_eq!(failure.block().to_string(), "error: could not compile `tasks.rs`");
        assert_eq!(failure.kind(), ErrorKind::Compile);
    }

    #[test]
    fn warnings_of_other_crates_are_not_shown_and_their_errors_name_them() {
        let (room, environment, mut heard) = (room(), ProcessEnvironment::new([], "/"), Heard(Vec::new()));
        let mut outcome = Outcome::new(&room, &environment);
        outcome.message(&message("path+file:///fabrs#0.1.0", "warning"), &mut heard);
        assert_eq!(heard.0, Vec::<String>::new());
        outcome.message(&message("path+file:///shop#0.1.0", "error"), &mut heard);
        outcome.status("error: could not compile `shop` (lib) due to 1 previous error", &mut heard);
        assert_eq!(heard.0.len(), 1);
        assert_eq!(outcome.failure("tasks.rs").to_string(), "could not compile `shop`, which `tasks.rs` needs");
    }

    #[test]
    fn an_explanation_of_cargo_names_the_file_and_not_the_generated_package() {
        let (room, environment, mut heard) = (room(), ProcessEnvironment::new([], "/"), Heard(Vec::new()));
        let mut outcome = Outcome::new(&room, &environment);
        for line in [
            "    Updating crates index",
            "error: no matching package named `shpo` found",
            "location searched: the registry",
            "required by package `tasks-12 v0.0.0 (/c/12)`",
        ] {
            outcome.status(line, &mut heard);
        }
        let failure = outcome.failure("tasks.rs");
        assert_eq!(failure.to_string(), "could not compile `tasks.rs`");
        let cause =
            "no matching package named `shpo` found\nlocation searched: the registry\nrequired by package tasks.rs";
        assert_eq!(failure.source().unwrap().to_string(), cause);
        assert!(!outcome.wants_network());
    }

    #[test]
    fn a_missing_network_is_known_by_cargos_words() {
        let (room, environment, mut heard) = (room(), ProcessEnvironment::new([], "/"), Heard(Vec::new()));
        let mut outcome = Outcome::new(&room, &environment);
        outcome
            .status("error: failed to get `semver` as a dependency of package `tasks-12 v0.0.0 (/c/12)`", &mut heard);
        outcome.status("  [6] Could not resolve hostname (Could not resolve host: example.com)", &mut heard);
        assert!(outcome.wants_network());
        assert!(outcome.failure("tasks.rs").advice().is_some());
    }

    #[test]
    fn the_packages_of_a_lock_file_are_counted() {
        assert_eq!(packages("version = 4\n\n[[package]]\nname = 'a'\n\n[[package]]\nname = 'b'\n"), 2);
    }
}
