//! Builder for runs of `fab`: [`Fab`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::environment;
use super::expectations::{Expectation, OutputStream};
use super::output::FabOutput;
use super::running::RunningFab;
use super::setup::{RunSetup, Stdin};
use crate::pty::TerminalSession;
use crate::sshd::Sshd;

/// A run of `fab` in its own project, with the expected result.
///
/// The run has a clean environment, an empty home, its own process group and an empty stdin. The
/// expected exit code is 0 by default.
///
/// # Examples
///
/// ```
/// use fabrs_testing::Fab;
///
/// let output = Fab::new("/bin/cat").arg("greeting").project(&[("greeting", "hello\n")]).run();
/// assert_eq!(output.stdout, "hello\n");
/// ```
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
    /// Creates a run of a program: `Fab::new(env!("CARGO_BIN_EXE_fab"))`.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be created.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let mut dir = tempfile::Builder::new().prefix("fabrs-fab-").tempdir().expect("a temporary directory");
        dir.disable_cleanup(std::env::var_os("FABRS_TEST_KEEP").is_some());
        let (home, project) = (dir.path().join("home"), dir.path().join("project"));
        fs::create_dir(&home).and_then(|()| fs::create_dir(&project)).expect("a writable directory");
        let cache = program.parent().unwrap_or(Path::new("/")).join("fab-test-cache");
        Self {
            setup: RunSetup {
                expectations: Vec::new(),
                dir: Arc::new(dir),
                limit: Duration::from_mins(10),
                stdin: Stdin::Null,
            },
            env: environment::clean_environment(&home, &cache),
            arguments: Vec::new(),
            own_session: false,
            program,
            working_dir: project,
        }
    }

    /// Writes files to the project directory. Each pair is a relative path and a text.
    ///
    /// # Panics
    ///
    /// If a file cannot be written.
    pub fn project(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            let path = self.dir().join(path);
            fs::create_dir_all(path.parent().expect("a relative path")).expect("a writable directory");
            fs::write(path, text).expect("a writable directory");
        }
        self
    }

    /// Returns the project directory.
    pub fn dir(&self) -> PathBuf {
        self.setup.project_dir()
    }

    /// Sets the working directory. A relative path starts at the project directory, the default.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.working_dir = self.dir().join(folder);
        self
    }

    /// Sets the directory for compiled projects. Defaults to a directory beside the program.
    pub fn cache(self, path: &Path) -> Self {
        self.env("FABRS_CACHE", path)
    }

    /// Trusts only the checkout of fabrs and cargo's target directory. By default, the temporary
    /// directory is trusted as well.
    pub fn strict_trust(self) -> Self {
        let trusted = environment::join_trusted(&[&environment::checkout_dir(), &environment::target_dir()]);
        self.env("FABRS_TRUST", trusted)
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds `-S` and `-H` for a server. `-H` has the first alias in the `ssh_config` of the server.
    pub fn on(self, sshd: &Sshd) -> Self {
        self.arg("-S").arg(sshd.ssh_config()).args(["-H", sshd.alias()])
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.remove(name.as_ref());
        self
    }

    /// Sets the content of stdin.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.setup.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Sets stdin to `/dev/null`. This is the default.
    pub fn no_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Null;
        self
    }

    /// Sets stdin to an open pipe without data, as on some CI servers.
    pub fn open_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Open;
        self
    }

    /// Closes descriptor 0.
    pub fn closed_stdin(mut self) -> Self {
        self.setup.stdin = Stdin::Closed;
        self
    }

    /// Runs the program in a new session without a terminal. Opening `/dev/tty` fails.
    pub fn own_session(mut self) -> Self {
        self.own_session = true;
        self
    }

    /// Sets the time limit of the run. Defaults to ten minutes, because the first run compiles.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.setup.limit = limit;
        self
    }

    /// Expects an exit code, or 128+n for signal n. Defaults to 0.
    pub fn code(self, code: i32) -> Self {
        self.expect(Expectation::Code(code))
    }

    /// Accepts any exit code. For runs in a race with a signal or a fault.
    pub fn any_code(self) -> Self {
        self.expect(Expectation::AnyCode)
    }

    /// Expects stdout to be equal to `text`.
    pub fn stdout(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Exact(OutputStream::Stdout, text.into()))
    }

    /// Expects stderr to be equal to `text`.
    pub fn stderr(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Exact(OutputStream::Stderr, text.into()))
    }

    /// Expects stdout to contain `text`.
    pub fn stdout_contains(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Contains(OutputStream::Stdout, text.into()))
    }

    /// Expects stderr to contain `text`.
    pub fn stderr_contains(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Contains(OutputStream::Stderr, text.into()))
    }

    /// Expects stdout not to contain `text`.
    pub fn stdout_lacks(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Lacks(OutputStream::Stdout, text.into()))
    }

    /// Expects stderr not to contain `text`.
    pub fn stderr_lacks(self, text: impl Into<String>) -> Self {
        self.expect(Expectation::Lacks(OutputStream::Stderr, text.into()))
    }

    fn expect(mut self, expectation: Expectation) -> Self {
        self.setup.expectations.push(expectation);
        self
    }

    /// Runs the program to its end and checks all expectations.
    ///
    /// # Panics
    ///
    /// If an expectation is not met. The message has all differences and both streams.
    #[track_caller]
    pub fn run(self) -> FabOutput {
        self.spawn().wait()
    }

    /// Starts the program.
    ///
    /// # Panics
    ///
    /// If the program does not start.
    #[track_caller]
    pub fn spawn(self) -> RunningFab {
        let words = self.command_line();
        let command = if self.own_session {
            // `setsid` forks only if it leads a process group. Here it leads none, so the PID does
            // not change.
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
        let mut command = self.in_project(command);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        RunningFab::start(self.setup, command)
    }

    /// Starts the program on a terminal. Expectations are not checked.
    ///
    /// # Panics
    ///
    /// If the program does not start.
    #[track_caller]
    pub fn spawn_on_terminal(mut self) -> TerminalSession {
        self.env.entry("TERM".into()).or_insert_with(|| "xterm".into());
        let words = self.command_line();
        let mut command = TerminalSession::command(&words[0]);
        command.args(&words[1..]);
        TerminalSession::spawn(self.in_project(command)).keep_dir(self.setup.dir)
    }

    /// Returns the program and its arguments.
    fn command_line(&self) -> Vec<OsString> {
        // std always opens descriptor 0 for a child, so a shell closes the descriptor.
        let without_stdin = ["/bin/sh", "-c", r#"exec "$0" "$@" <&-"#].map(OsString::from);
        let mut words = if matches!(self.setup.stdin, Stdin::Closed) { without_stdin.to_vec() } else { Vec::new() };
        words.push(self.program.clone().into());
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// Sets the environment and the working directory.
    fn in_project(&self, mut command: Command) -> Command {
        command.env_clear().envs(&self.env).current_dir(&self.working_dir);
        command
    }
}
