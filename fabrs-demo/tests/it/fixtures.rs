//! Where the tests stand: hosts of this process, hosts of another that can be killed, and clients for them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use fabrs_core::config::{Settings, SshConfigFrom};
use fabrs_core::{Client, Connection};
use fabrs_demo::Demo;

/// The program that plays the parts.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fabrs-demo");

/// Starts hosts that end with the test.
#[track_caller]
pub(crate) fn demo(names: &[&str]) -> Demo {
    match Demo::builder(names.iter().copied()).program(PROGRAM).start() {
        Ok(demo) => demo,
        Err(error) => panic!("{}", error.block()),
    }
}

/// Returns OpenSSH's client for a host, to which the line is to be added.
pub(crate) fn ssh(config: impl Into<PathBuf>, host: &str) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(config.into()).arg(host).stdin(Stdio::null());
    command
}

/// Runs a line by OpenSSH's client, and returns what it left.
#[track_caller]
pub(crate) fn run(demo: &Demo, host: &str, line: &str) -> Output {
    ssh(demo.ssh_config(), host).arg(line).output().expect("`ssh` is installed")
}

/// Runs a line that ends well and writes nothing to stderr, and returns what it wrote.
#[track_caller]
pub(crate) fn stdout_of(demo: &Demo, host: &str, line: &str) -> String {
    let output = run(demo, host, line);
    assert!(output.status.success() && output.stderr.is_empty(), "`{line}`: {output:?}");
    text(&output.stdout)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
}

/// Returns a connection of fabrs.
pub(crate) fn connection(demo: &Demo, host: &str) -> (Client, Connection) {
    let settings = Settings { ssh_config: SshConfigFrom::File(demo.ssh_config()), ..Settings::default() };
    let client = Client::builder().settings(settings).build();
    let connection = client.connect(host).expect("it is a host");
    (client, connection)
}

/// Hosts of a program of their own.
pub(crate) struct DemoProgram {
    pub(crate) child: Child,
    /// It ends when this is closed.
    _input: ChildStdin,
    /// What it says of each host: a command that reaches it.
    pub(crate) config: PathBuf,
}

/// Returns the program that starts a host called `demo`.
pub(crate) fn demo_program() -> Command {
    Command::new(PROGRAM)
}

/// Starts it, and waits until the host listens.
#[track_caller]
pub(crate) fn start_program(mut command: Command) -> DemoProgram {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is a program");
    let input = child.stdin.take().expect("it is a pipe");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is a pipe")).read_line(&mut line).expect("it is text");
    let config = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("it says no `ssh -F FILE`: {line}")).into();
    DemoProgram { child, _input: input, config }
}

impl DemoProgram {
    /// Runs a line on its host.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Output {
        ssh(&self.config, "demo").arg(line).output().expect("`ssh` is installed")
    }

    /// Runs a line on its host, and returns what it wrote.
    #[track_caller]
    pub(crate) fn stdout_of(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "`{line}`: {output:?}");
        text(&output.stdout)
    }
}

impl Drop for DemoProgram {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
