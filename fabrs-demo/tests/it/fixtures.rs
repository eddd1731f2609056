//! Fixtures: demo hosts of the test process or of a separate program, and clients for them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use fabrs_core::config::{Settings, SshConfigSource};
use fabrs_core::{Client, Connection};
use fabrs_demo::Demo;

/// The program that runs the helper processes.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fabrs-demo");

/// Starts hosts for the duration of the test.
#[track_caller]
pub(crate) fn demo(names: &[&str]) -> Demo {
    match Demo::builder(names.iter().copied()).program(PROGRAM).start() {
        Ok(demo) => demo,
        Err(error) => panic!("{}", error.block()),
    }
}

/// Returns an `ssh` command for a host, without a command line.
pub(crate) fn ssh(config: impl Into<PathBuf>, host: &str) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(config.into()).arg(host).stdin(Stdio::null());
    command
}

/// Runs a command line with `ssh`, and returns the output.
#[track_caller]
pub(crate) fn run(demo: &Demo, host: &str, line: &str) -> Output {
    ssh(demo.ssh_config(), host).arg(line).output().expect("`ssh` is installed")
}

/// Runs a command line, and returns the stdout. Panics on failure or on output to stderr.
#[track_caller]
pub(crate) fn stdout_of(demo: &Demo, host: &str, line: &str) -> String {
    let output = run(demo, host, line);
    assert!(output.status.success() && output.stderr.is_empty(), "`{line}`: {output:?}");
    text(&output.stdout)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8 output")
}

/// Returns a fabrs client and its connection to a host.
pub(crate) fn connection(demo: &Demo, host: &str) -> (Client, Connection) {
    let settings = Settings::default().ssh_config(SshConfigSource::File(demo.ssh_config()));
    let client = Client::builder().settings(settings).build();
    let connection = client.connect(host).expect("a valid host name");
    (client, connection)
}

/// A separate program with a demo host.
pub(crate) struct DemoProgram {
    pub(crate) child: Child,
    /// The program ends when this pipe is closed.
    _input: ChildStdin,
    /// The path printed by the program in the line `ssh -F FILE HOST`.
    pub(crate) config: PathBuf,
}

/// Returns the command of a program with one host named `demo`.
pub(crate) fn demo_program() -> Command {
    Command::new(PROGRAM)
}

/// Starts a program and waits until its host listens.
#[track_caller]
pub(crate) fn start_program(mut command: Command) -> DemoProgram {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let input = child.stdin.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("UTF-8 output");
    let config = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("expected `ssh -F FILE HOST`: {line}")).into();
    DemoProgram { child, _input: input, config }
}

impl DemoProgram {
    /// Runs a command line on the host.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Output {
        ssh(&self.config, "demo").arg(line).output().expect("`ssh` is installed")
    }

    /// Runs a command line on the host and returns its stdout. Panics on failure.
    #[track_caller]
    pub(crate) fn stdout_of(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "`{line}`: {output:?}");
        text(&output.stdout)
    }
}

impl Drop for DemoProgram {
    fn drop(&mut self) {
        // The kill fails if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
