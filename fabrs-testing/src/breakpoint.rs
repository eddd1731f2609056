//! Breakpoint: a named pipe that pauses a program of a host, so a test can act between two steps.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::wait::wait_for;

/// A named pipe. The first program to read the pipe waits until [`PausedProgram::resume`].
#[derive(Debug)]
pub struct Breakpoint(PathBuf);

/// A program paused at a [`Breakpoint`].
#[derive(Debug)]
pub struct PausedProgram {
    path: PathBuf,
    /// The write end of the pipe. The program waits until this end is closed.
    pipe: File,
}

impl Breakpoint {
    /// Creates a breakpoint at a path. Every account can read the pipe.
    ///
    /// # Panics
    ///
    /// If the path exists, or its directory does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a writable directory");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a writable directory");
        Self(path)
    }

    /// Writes a program to `path` that waits at the breakpoint and then executes `program`.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn wrap_program(&self, path: &Path, program: &Path) {
        let (pipe, program) = (self.0.display(), program.display());
        let text = format!("#!/bin/sh\n/bin/cat '{pipe}' >/dev/null 2>&1\nexec '{program}' \"$@\"\n");
        std::fs::write(path, text).expect("a writable directory");
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a writable file");
    }

    /// Waits until a program reads the pipe.
    ///
    /// # Panics
    ///
    /// If no program has read the pipe within `limit`.
    #[track_caller]
    pub fn wait_until_hit(self, limit: Duration) -> PausedProgram {
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flag fits in i32");
        // A nonblocking open for writing fails until another process reads the pipe (fifo(7)).
        let open = || OpenOptions::new().write(true).custom_flags(nonblocking).open(&self.0).ok();
        let pipe = wait_for("a program reads the pipe", limit, open);
        PausedProgram { path: self.0, pipe }
    }
}

impl PausedProgram {
    /// Resumes the program and removes the breakpoint.
    ///
    /// # Panics
    ///
    /// If the pipe cannot be removed.
    pub fn resume(self) {
        std::fs::remove_file(self.path).expect("a writable directory");
        drop(self.pipe);
    }
}
