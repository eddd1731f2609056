//! A gate: a named pipe at which a program of a test host waits, so that a test can act between two of its steps.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::wait::wait_for;

/// A named pipe that the first program to read it waits at, until the test [opens](PausedProgram::resume) it.
#[derive(Debug)]
pub struct Breakpoint(PathBuf);

/// A program that waits at a [`Breakpoint`].
#[derive(Debug)]
pub struct PausedProgram {
    gate: PathBuf,
    /// The program reads until the end of the pipe.
    pipe: File,
}

impl Breakpoint {
    /// Creates a gate at a path. Every account can read it.
    ///
    /// # Panics
    ///
    /// If the path exists, or its directory does not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the directory is ours");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("the pipe is ours");
        Self(path)
    }

    /// Writes a program to `path` that waits at the gate and then runs `program` with its own arguments.
    ///
    /// # Panics
    ///
    /// If the file can't be written.
    pub fn wrap_program(&self, path: &Path, program: &Path) {
        let (gate, program) = (self.0.display(), program.display());
        let text = format!("#!/bin/sh\n/bin/cat '{gate}' >/dev/null 2>&1\nexec '{program}' \"$@\"\n");
        std::fs::write(path, text).expect("the directory is ours");
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file is ours");
    }

    /// Waits until a program has arrived at the gate.
    ///
    /// # Panics
    ///
    /// If no program has arrived at the limit.
    #[track_caller]
    pub fn wait_until_hit(self, limit: Duration) -> PausedProgram {
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("a small number");
        // Fails until another process reads the pipe.
        let open = || OpenOptions::new().write(true).custom_flags(nonblocking).open(&self.0).ok();
        let pipe = wait_for("a program is at the gate", limit, open);
        PausedProgram { gate: self.0, pipe }
    }
}

impl PausedProgram {
    /// Lets the program go on. Later programs find no gate.
    ///
    /// # Panics
    ///
    /// If the pipe can't be removed.
    pub fn resume(self) {
        std::fs::remove_file(self.gate).expect("the pipe is ours");
        drop(self.pipe);
    }
}
