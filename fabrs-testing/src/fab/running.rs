//! A run that has started, and one that has ended.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::checks::differences;
use super::output::FabOutput;
use super::setup::{RunSetup, Stdin};
use crate::pty::code;
use crate::wait::{poll, wait_until};

/// How long a stream may stay open after the program has ended.
const STREAM_LIMIT: Duration = Duration::from_secs(10);

/// A run that has started; it is killed, with its process group, when dropped.
#[derive(Debug)]
pub struct RunningFab {
    child: Child,
    setup: RunSetup,
    open_stdin: Option<ChildStdin>,
    stderr: Collector,
    stdout: Collector,
}

impl RunningFab {
    #[track_caller]
    pub(super) fn start(setup: RunSetup, mut command: Command) -> Self {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("`{}` does not start: {error}", command.get_program().display()),
        };
        let mut open_stdin = child.stdin.take();
        if let Stdin::Bytes(bytes) = &setup.stdin
            && let Some(mut pipe) = open_stdin.take()
        {
            let bytes = bytes.clone();
            // A program that does not read its input breaks the pipe, and may.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        let stdout = Collector::start(child.stdout.take());
        let stderr = Collector::start(child.stderr.take());
        Self { child, setup, open_stdin, stderr, stdout }
    }

    /// Returns the process number, which is also that of its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the directory of the project.
    pub fn dir(&self) -> PathBuf {
        self.setup.project()
    }

    /// Returns what it has written to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns what it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until this stands on stdout.
    ///
    /// # Panics
    ///
    /// If it does not until the limit.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str, limit: Duration) {
        wait_until(&format!("stdout has `{text}`"), limit, || self.stdout().contains(text));
    }

    /// Waits until this stands on stderr.
    ///
    /// # Panics
    ///
    /// If it does not until the limit.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str, limit: Duration) {
        wait_until(&format!("stderr has `{text}`"), limit, || self.stderr().contains(text));
    }

    /// Sends `SIGINT` to its process group, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends `SIGTERM` to its process group.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends `SIGHUP` to its process group, as a terminal does that is closed.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends `SIGKILL` to its process group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for the end and compares.
    ///
    /// # Panics
    ///
    /// With every difference and both streams, if it left something else than expected; if it runs
    /// on at the limit; if something it started still holds a stream open after it has ended.
    #[track_caller]
    pub fn wait(mut self) -> FabOutput {
        let Some(status) = poll(self.setup.limit, || self.child.try_wait().expect("it is our child")) else {
            let (limit, stdout, stderr) = (self.setup.limit, self.stdout(), self.stderr());
            panic!("still runs after {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---");
        };
        drop(self.open_stdin.take());
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            assert!(
                poll(STREAM_LIMIT, || stream.is_over().then_some(())).is_some(),
                "the program has ended, but something it started still holds its {name} open"
            );
        }
        let ran = FabOutput {
            code: code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
            dir: self.dir(),
            _keep: Arc::clone(&self.setup.dir),
        };
        if let Some(shown) = differences(&self.setup.checks, &ran) {
            panic!("{shown}");
        }
        ran
    }

    fn signal(&self, signal: Signal) {
        // A program that has ended before the signal is for the expectations to tell.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _gone = pid.map(|pid| kill_process_group(pid, signal));
    }
}

impl Drop for RunningFab {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
            // In the moment before `setsid` has made the group, only the process is there.
            let _gone = self.child.kill();
            let _status = self.child.wait();
        }
    }
}

/// A thread that keeps what comes through a pipe.
#[derive(Debug)]
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Collector {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            let mut pipe = pipe.expect("the command was given a pipe");
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                theirs.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}
