//! Setting up a run.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::checks::{Check, Stream};
use super::environment;
use super::output::FabOutput;
use super::running::RunningFab;
use super::setup::{RunSetup, Stdin};
use crate::pty::Pty;
use crate::sshd::Sshd;

/// One run of `fab` in a project of its own, and what it is expected to leave.
///
/// It has a clean environment and a home without anything in it, runs in a process group of its
/// own with an empty stdin, and is expected to exit with 0 if nothing else is said.
#[derive(Debug)]
#[must_use = "nothing runs until `.run()` or `.spawn()`"]
pub struct Fab {
    setup: RunSetup,
    arguments: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    own_session: bool,
    program: PathBuf,
    working_dir: PathBuf,
}

impl Fab {
    /// Prepares a run of this program: `Fab::new(env!("CARGO_BIN_EXE_fab"))`.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be made.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let mut dir = tempfile::Builder::new().prefix("fabrs-fab-").tempdir().expect("a temporary directory");
        dir.disable_cleanup(std::env::var_os("FABRS_TEST_KEEP").is_some());
        let (home, project) = (dir.path().join("home"), dir.path().join("project"));
        fs::create_dir(&home).and_then(|()| fs::create_dir(&project)).expect("the directory is ours");
        let cache = program.parent().unwrap_or(Path::new("/")).join("fab-test-cache");
        Self {
            setup: RunSetup {
                checks: Vec::new(),
                dir: Arc::new(dir),
                limit: Duration::from_mins(10),
                stdin: Stdin::Null,
            },
            env: environment::clean(&home, &cache),
            arguments: Vec::new(),
            own_session: false,
            program,
            working_dir: project,
        }
    }

    /// Writes files, by path and text, to the directory in which the run starts.
    ///
    /// # Panics
    ///
    /// If one can not be written.
    pub fn project(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            let path = self.dir().join(path);
            fs::create_dir_all(path.parent().expect("it is in the project")).expect("the directory is ours");
            fs::write(path, text).expect("the directory is ours");
        }
        self
    }

    /// Returns the directory of the project.
    pub fn dir(&self) -> PathBuf {
        self.setup.project()
    }

    /// Starts in a folder of the project, or in any other if the path is absolute. Defaults to the project's root.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.working_dir = self.dir().join(folder);
        self
    }

    /// Keeps compiled projects in another place than beside the program.
    pub fn cache(self, path: &Path) -> Self {
        self.env("FABRS_CACHE", path)
    }

    /// Trusts nothing but the checkout of fabrs and cargo's target folder. Projects in temporary folders are checked.
    pub fn strict_trust(self) -> Self {
        let trusted = environment::trusted(&[&environment::checkout(), &environment::target()]);
        self.env("FABRS_TRUST", trusted)
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds `-S` and `-H` for this server, under the first alias of its `ssh_config`.
    pub fn on(self, sshd: &Sshd) -> Self {
        self.arg("-S").arg(sshd.ssh_config()).args(["-H", sshd.alias()])
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Removes a variable.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.remove(name.as_ref());
        self
    }

    /// Gives it these bytes as stdin, then the end of input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.setup.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Gives it an empty stdin, `/dev/null`. This is the default.
    pub fn no_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Null;
        self
    }

    /// Gives it a stdin that is open and never has anything, as under some CI servers.
    pub fn open_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Open;
        self
    }

    /// Gives it no descriptor 0 at all.
    pub fn closed_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Closed;
        self
    }

    /// Runs it in a session of its own, where `/dev/tty` can not be opened: no terminal anywhere.
    pub fn own_session(mut self) -> Self {
        self.own_session = true;
        self
    }

    /// Sets when a run counts as hung. Defaults to ten minutes, as the first one compiles.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.setup.limit = limit;
        self
    }

    /// Expects this exit code; 128+n where signal n ended it. Defaults to 0.
    pub fn code(self, code: i32) -> Self {
        self.check(Check::Code(code))
    }

    /// Expects any exit code at all: for runs that race with what is done to them.
    pub fn any_code(self) -> Self {
        self.check(Check::AnyCode)
    }

    /// Expects exactly this on stdout.
    pub fn stdout(self, text: impl Into<String>) -> Self {
        self.check(Check::Exact(Stream::Out, text.into()))
    }

    /// Expects exactly this on stderr.
    pub fn stderr(self, text: impl Into<String>) -> Self {
        self.check(Check::Exact(Stream::Err, text.into()))
    }

    /// Expects this somewhere on stdout.
    pub fn stdout_contains(self, text: impl Into<String>) -> Self {
        self.check(Check::Contains(Stream::Out, text.into()))
    }

    /// Expects this somewhere on stderr.
    pub fn stderr_contains(self, text: impl Into<String>) -> Self {
        self.check(Check::Contains(Stream::Err, text.into()))
    }

    /// Expects this nowhere on stdout.
    pub fn stdout_lacks(self, text: impl Into<String>) -> Self {
        self.check(Check::Lacks(Stream::Out, text.into()))
    }

    /// Expects this nowhere on stderr.
    pub fn stderr_lacks(self, text: impl Into<String>) -> Self {
        self.check(Check::Lacks(Stream::Err, text.into()))
    }

    fn check(mut self, check: Check) -> Self {
        self.setup.checks.push(check);
        self
    }

    /// Runs it to its end and compares.
    ///
    /// # Panics
    ///
    /// With every difference and both streams, if it left something else than expected.
    #[track_caller]
    pub fn run(self) -> FabOutput {
        self.spawn().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn spawn(self) -> RunningFab {
        let words = self.words();
        let command = if self.own_session {
            // Not being the leader of a group, `setsid` does not fork: the process number stays.
            let mut command = Command::new("setsid");
            command.args(words);
            command
        } else {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).process_group(0);
            command
        };
        let stdin = match self.setup.stdin {
            Stdin::Null | Stdin::Closed => Stdio::null(),
            Stdin::Bytes(_) | Stdin::Open => Stdio::piped(),
        };
        let mut command = self.surrounded(command);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        RunningFab::start(self.setup, command)
    }

    /// Starts it on a terminal; what it is expected to leave is not compared.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn spawn_on_terminal(mut self) -> Pty {
        self.env.entry("TERM".into()).or_insert_with(|| "xterm".into());
        let words = self.words();
        let mut command = Pty::command(&words[0]);
        command.args(&words[1..]);
        Pty::spawn(self.surrounded(command)).keeping(self.setup.dir)
    }

    /// Returns the program and its arguments.
    fn words(&self) -> Vec<OsString> {
        // std always gives a child a descriptor 0; a shell can take it away.
        let without_stdin = ["/bin/sh", "-c", r#"exec "$0" "$@" <&-"#].map(OsString::from);
        let mut words = if matches!(self.setup.stdin, Stdin::Closed) { without_stdin.to_vec() } else { Vec::new() };
        words.push(self.program.clone().into());
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// Puts the command into its directory and environment.
    fn surrounded(&self, mut command: Command) -> Command {
        command.env_clear().envs(&self.env).current_dir(&self.working_dir);
        command
    }
}
