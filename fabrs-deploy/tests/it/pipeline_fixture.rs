//! The fixture of the pipeline tests: a shared repository without a server, and clones of a team.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fabrs::Client;
use fabrs::config::Settings;
use fabrs::event::{CaptureSink, Sink};
use fabrs::prelude::Result;
use fabrs_deploy::Pipeline;
use fabrs_testing::GitServer;

/// The ref with the records in the shared repository.
pub(crate) const NOTES: &str = "refs/notes/fabrs";

/// A bare repository, the remote `origin` of all clones.
pub(crate) struct SharedRepository {
    dir: tempfile::TempDir,
}

impl SharedRepository {
    /// Creates the repository with two commits.
    pub(crate) fn new() -> Self {
        let shared = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        GitServer::git(shared.dir.path(), &["init", "--quiet", "--bare", "shop.git"]);
        let first = shared.clone_as("first");
        for subject in ["Add the shop", "Add notes"] {
            commit(&first, subject);
        }
        shared
    }

    /// Returns the path of the bare repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("shop.git")
    }

    /// Clones the repository.
    pub(crate) fn clone_as(&self, name: &str) -> PathBuf {
        self.clone_with(name, &[])
    }

    pub(crate) fn clone_with(&self, name: &str, options: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.path().display());
        GitServer::git(self.dir.path(), &[&["clone", "--quiet"], options, &[&url, name]].concat());
        self.dir.path().join(name)
    }

    /// Returns the lines of the note of a commit, without empty lines.
    pub(crate) fn records(&self, commit: &str) -> Vec<String> {
        let note = GitServer::git(&self.path(), &["notes", "--ref", NOTES, "show", commit]);
        note.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Returns `true` if the repository has any record.
    pub(crate) fn has_records(&self) -> bool {
        !GitServer::git(&self.path(), &["for-each-ref", NOTES]).is_empty()
    }

    /// Appends lines to the note of a commit, as everyone with push access can.
    pub(crate) fn forge(&self, commit: &str, text: &str) {
        GitServer::git(&self.path(), &["notes", "--ref", NOTES, "append", "-m", text, commit]);
    }

    /// Installs a hook in the bare repository.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        write_hook(&self.path().join("hooks").join(name), script);
    }
}

/// Writes an executable hook.
pub(crate) fn write_hook(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a writable directory");
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a writable directory");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the owner of the file");
}

/// Commits to `main` and pushes. Returns the commit.
pub(crate) fn commit(clone: &Path, subject: &str) -> String {
    GitServer::git(clone, &["commit", "--quiet", "--allow-empty", "--message", subject]);
    GitServer::git(clone, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    head(clone)
}

/// Returns the commit of HEAD.
pub(crate) fn head(clone: &Path) -> String {
    GitServer::git(clone, &["rev-parse", "HEAD"])
}

/// A user of a clone: a client, with a capture of its events.
pub(crate) struct Teammate {
    pub(crate) client: Client,
    pub(crate) capture: Arc<CaptureSink>,
    clone: PathBuf,
}

impl Teammate {
    pub(crate) fn new(clone: &Path) -> Self {
        Self::with(clone, |settings| settings)
    }

    pub(crate) fn with(clone: &Path, change: impl FnOnce(Settings) -> Settings) -> Self {
        let capture = Arc::new(CaptureSink::default());
        let builder = Client::builder().settings(change(Settings::default()));
        let client = builder.sink(Arc::clone(&capture) as Arc<dyn Sink>).build();
        Self { client, capture, clone: clone.to_owned() }
    }

    pub(crate) fn pipeline(&self) -> Pipeline {
        pipeline_of(&self.clone)
    }

    /// Runs a future as a task on this machine.
    pub(crate) async fn task<F: Future>(&self, future: F) -> F::Output {
        self.client.local().expect("this machine is a host").enter(future).await
    }

    /// Runs a stage with a command as its work.
    pub(crate) async fn stage(&self, name: &str, command: impl fabrs::IntoShellLine) -> Result {
        let stage = self.pipeline().stage(name)?;
        self.task(async { stage.run(fabrs::local(command)).await.map(drop) }).await
    }

    /// Returns the error block of a refused or failed stage.
    pub(crate) async fn refused(&self, name: &str) -> String {
        let error = self.stage(name, "true").await.expect_err("the stage is refused").into_error();
        error.block().to_string()
    }

    /// Returns all messages and warnings.
    pub(crate) fn messages(&self) -> String {
        let texts = self.capture.of_kind("message").into_iter().chain(self.capture.of_kind("warning"));
        texts.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the pipeline of these tests.
pub(crate) fn pipeline_of(clone: &Path) -> Pipeline {
    let stages = ["unit", "functional", "staging", "smoke", "production"];
    Pipeline::new(stages).repository(clone.to_string_lossy())
}
