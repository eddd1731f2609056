//! Runs cargo as a child process and reads its output.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use fabrs_core::config::ProcessEnv;
use fabrs_core::{Error, ErrorKind};

use crate::cargo_output::CargoOutput;
use crate::environment::ProcessEnvironment;
use crate::progress::BuildProgress;
use crate::project_cache::ProjectCache;

/// The cargo program and the package to build.
#[derive(Debug)]
pub(crate) struct CargoCommand<'a> {
    program: PathBuf,
    cache: &'a ProjectCache,
    environment: &'a ProcessEnvironment,
}

/// The number of output lines that may be queued.
const MAX_QUEUED_LINES: usize = 64;

enum OutputLine {
    Stdout(String),
    Stderr(String),
}

impl<'a> CargoCommand<'a> {
    /// Finds the cargo program.
    pub(crate) fn find(cache: &'a ProjectCache, environment: &'a ProcessEnvironment) -> Result<Self, Error> {
        let program = environment.find_cargo().ok_or_else(|| {
            Error::new(ErrorKind::Local, "could not find `cargo` to compile tasks.rs")
                .hint("install Rust from https://rustup.rs, or add the folder of `cargo` to PATH")
        })?;
        Ok(Self { program, cache, environment })
    }

    /// Returns the path of the cargo program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Builds the package. Returns true if the build succeeded, and the parsed output of cargo.
    pub(crate) fn build(
        &self,
        offline: bool,
        progress: &mut dyn BuildProgress,
    ) -> Result<(bool, CargoOutput<'a>), Error> {
        let mut command = self.command(&self.program);
        command.arg("build").arg(if progress.allow_colour() {
            "--message-format=json,json-diagnostic-rendered-ansi"
        } else {
            "--message-format=json"
        });
        command.arg("--manifest-path").arg(self.cache.manifest());
        command.arg("--config").arg(self.cache.cargo_config());
        if offline {
            command.arg("--offline");
        }
        let mut output = CargoOutput::new(self.cache, self.environment);
        let status = run_and_parse(command, &mut output, progress).map_err(|error| {
            Error::new(ErrorKind::Local, format!("could not run `{}`", self.program.display())).caused_by(error)
        })?;
        Ok((status.success(), output))
    }

    /// Returns the path of the real compiler.
    ///
    /// The `rustc` on PATH is often a proxy of rustup, and stays the same if rustup replaces the
    /// compiler.
    pub(crate) fn compiler(&self) -> Option<PathBuf> {
        let output = self.command(self.environment.rustc()).args(["--print", "sysroot"]).stderr(Stdio::null()).output();
        let sysroot = String::from_utf8(output.ok()?.stdout).ok()?;
        Some(Path::new(sysroot.trim_end()).join("bin/rustc")).filter(|rustc| rustc.is_file())
    }

    /// Prepares a toolchain program to run without the cargo settings of the project.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            // Cargo and rustup read settings of all parent folders. Only root can write to `/`.
            .current_dir("/")
            .env_clear()
            .envs(self.environment.variables_for_cargo(&self.program))
            .env("CARGO_TARGET_DIR", &self.cache.target_folder)
            // The build script of a dependency could read the password.
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            // The launcher parses the output, so the user's settings must not change the format.
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env("CARGO_TERM_QUIET", "false")
            .env("CARGO_TERM_VERBOSE", "false")
            .stdin(Stdio::null());
        command
    }
}

/// Runs a command and passes each line of its output to `output`.
fn run_and_parse(
    mut command: Command,
    output: &mut CargoOutput<'_>,
    progress: &mut dyn BuildProgress,
) -> io::Result<ExitStatus> {
    let mut child = KillOnDrop(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let (sender, lines) = sync_channel(MAX_QUEUED_LINES);
    let streams = (child.0.stdout.take(), child.0.stderr.take());
    thread::scope(|scope| {
        if let (Some(stdout), Some(stderr)) = streams {
            let other = sender.clone();
            scope.spawn(move || read_lines(stdout, OutputLine::Stdout, &sender));
            scope.spawn(move || read_lines(stderr, OutputLine::Stderr, &other));
        }
        forward_lines(&lines, output, progress);
    });
    child.0.wait()
}

/// A child process, killed on drop.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both calls have no effect after the child has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_lines(stream: impl Read, kind: fn(String) -> OutputLine, lines: &SyncSender<OutputLine>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    // A read error ends the stream. The exit status reports a failed build.
    while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if lines.send(kind(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned())).is_err() {
            return;
        }
        line.clear();
    }
}

/// Passes on lines until both streams have ended.
fn forward_lines(lines: &Receiver<OutputLine>, output: &mut CargoOutput<'_>, progress: &mut dyn BuildProgress) {
    for line in lines {
        match line {
            OutputLine::Stdout(line) => output.message(&line, progress),
            OutputLine::Stderr(line) => output.status(&line, progress),
        }
    }
}
