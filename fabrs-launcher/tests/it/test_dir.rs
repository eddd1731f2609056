//! A temporary folder with a cache, projects, and the stub of fabrs.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs_core::Error;
use fabrs_launcher::{BuildEvent, BuildProgress, ProcessEnvironment, ensure_compiled};
use fabrs_project::Project;
use tempfile::TempDir;

/// A temporary folder, removed on drop.
pub(crate) struct TestDir {
    folder: TempDir,
}

/// The recorded events of one call of `ensure_compiled`.
#[derive(Debug, Default)]
pub(crate) struct RecordedEvents {
    /// The events in `Debug` format.
    pub(crate) events: Vec<String>,
    /// The compiler's messages.
    pub(crate) diagnostics: String,
}

impl BuildProgress for RecordedEvents {
    fn allow_colour(&self) -> bool {
        false
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        self.events.push(format!("{event:?}"));
        if let BuildEvent::Diagnostic(text) = event {
            self.diagnostics.push_str(text);
        }
    }
}

impl RecordedEvents {
    /// Returns true if a compilation was reported.
    pub(crate) fn is_compiling(&self) -> bool {
        self.events.iter().any(|event| event.starts_with("Compiling"))
    }

    /// Returns true if cargo compiled a crate.
    pub(crate) fn has_compiled(&self, name: &str) -> bool {
        self.events.iter().any(|event| event.starts_with("Crate") && event.contains(&format!("{name:?}")))
    }
}

impl TestDir {
    pub(crate) fn new() -> Self {
        let dir = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        dir.write(
            "fabrs/Cargo.toml",
            "[package]\nname = 'fabrs'\nversion = '0.0.0'\nedition = '2024'\n[features]\ndemo = []\n",
        );
        dir.write("fabrs/src/lib.rs", include_str!("fabrs_stub.rs"));
        dir
    }

    /// Returns a path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder exists").join(name)
    }

    /// Writes a file, and creates its parent folders.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().expect("the file has a parent folder")).expect("folders can be made");
        fs::write(file, text).expect("files can be written");
    }

    /// Creates a project with a `tasks.rs` that depends on the stub.
    pub(crate) fn project(&self, folder: &str, code: &str) -> Project {
        self.project_with(folder, "", code)
    }

    /// Like [`project`](Self::project), with further lines in the manifest block.
    pub(crate) fn project_with(&self, folder: &str, block: &str, code: &str) -> Project {
        let fabrs = self.path("fabrs");
        let block = format!("[dependencies]\nfabrs.path = {:?}\n{block}", fabrs.display().to_string());
        let block = block.trim_end().replace('\n', "\n//! ");
        self.write(&format!("{folder}/tasks.rs"), &format!("//! ```cargo\n//! {block}\n//! ```\n{code}\n"));
        Project::find(&self.path(folder)).expect("the test has written tasks.rs")
    }

    /// Returns the environment of this process with the cache of this folder and the given changes.
    pub(crate) fn environment(&self, changes: &[(&str, &str)]) -> ProcessEnvironment {
        let changes = changes.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let cache = (OsString::from("FABRS_CACHE"), self.path("cache").into_os_string());
        // The temporary folder may be below a folder of another user.
        let trusted = (OsString::from("FABRS_TRUST"), self.path("").into_os_string());
        ProcessEnvironment::new(env::vars_os().chain([cache, trusted]).chain(changes), self.path(""))
    }

    /// Compiles the tool of a project. Returns its path or the error, and the events.
    pub(crate) fn try_compile(
        &self,
        project: &Project,
        changes: &[(&str, &str)],
    ) -> (Result<PathBuf, Error>, RecordedEvents) {
        let mut events = RecordedEvents::default();
        let compiled = ensure_compiled(project, &self.environment(changes), &mut events);
        (compiled, events)
    }

    /// Compiles and runs the tool of a project. Returns its output and the events.
    #[track_caller]
    pub(crate) fn run(&self, project: &Project) -> (String, RecordedEvents) {
        let (compiled, events) = self.try_compile(project, &[]);
        let tool = compiled.unwrap_or_else(|error| panic!("{error:?}\n{}", events.diagnostics));
        (output(&tool), events)
    }

    /// Returns the folder of a project in the cache.
    pub(crate) fn cache_folder(&self, project: &Project) -> PathBuf {
        self.path("cache/fabrs/projects").join(project.hash())
    }
}

/// Runs a tool and returns its output.
pub(crate) fn output(tool: &Path) -> String {
    let output = Command::new(tool).output().expect("the tool starts");
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}
