//! Handle of a running `fab`.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::expectations::differences;
use super::output::FabOutput;
use super::setup::{RunSetup, Stdin};
use crate::pty::exit_code;
use crate::wait::{poll, wait_until};

/// The time limit for the end of a stream after the exit of the program.
const STREAM_LIMIT: Duration = Duration::from_secs(10);

/// A running program. Killed on drop, with its process group.
#[derive(Debug)]
pub struct RunningFab {
    child: Child,
    setup: RunSetup,
    open_stdin: Option<ChildStdin>,
    stderr: PipeReader,
    stdout: PipeReader,
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
            // The write fails if the program does not read stdin. A test may do so on purpose.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        let stdout = PipeReader::start(child.stdout.take());
        let stderr = PipeReader::start(child.stderr.take());
        Self { child, setup, open_stdin, stderr, stdout }
    }

    /// Returns the process ID, also the ID of the process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the project directory.
    pub fn dir(&self) -> PathBuf {
        self.setup.project_dir()
    }

    /// Returns the current content of stdout.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns the current content of stderr.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until stdout contains `text`.
    ///
    /// # Panics
    ///
    /// If stdout does not contain `text` within `limit`.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str, limit: Duration) {
        wait_until(&format!("stdout has `{text}`"), limit, || self.stdout().contains(text));
    }

    /// Waits until stderr contains `text`.
    ///
    /// # Panics
    ///
    /// If stderr does not contain `text` within `limit`.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str, limit: Duration) {
        wait_until(&format!("stderr has `{text}`"), limit, || self.stderr().contains(text));
    }

    /// Sends `SIGINT` to the process group, like Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends `SIGTERM` to the process group.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends `SIGHUP` to the process group, like a closed terminal.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends `SIGKILL` to the process group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for the end of the program and checks all expectations.
    ///
    /// # Panics
    ///
    /// - If an expectation is not met. The message has all differences and both streams.
    /// - If the program exceeds the time limit.
    /// - If a child of the program keeps a stream open after the exit.
    #[track_caller]
    pub fn wait(mut self) -> FabOutput {
        let Some(status) = poll(self.setup.limit, || self.child.try_wait().expect("the test started the process"))
        else {
            let (limit, stdout, stderr) = (self.setup.limit, self.stdout(), self.stderr());
            panic!("still runs after {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---");
        };
        drop(self.open_stdin.take());
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            assert!(
                poll(STREAM_LIMIT, || stream.is_finished().then_some(())).is_some(),
                "the program has ended, but a child keeps its {name} open"
            );
        }
        let output = FabOutput {
            code: exit_code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
            dir: self.dir(),
            _keep: Arc::clone(&self.setup.dir),
        };
        if let Some(shown) = differences(&self.setup.expectations, &output) {
            panic!("{shown}");
        }
        output
    }

    fn signal(&self, signal: Signal) {
        // The signal fails if the program has ended already. The expectations then detect the early
        // end.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process_group(pid, signal));
    }
}

impl Drop for RunningFab {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
            // `setsid` may not have created the process group yet.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A thread that collects the data of a pipe.
#[derive(Debug)]
struct PipeReader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl PipeReader {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            let mut pipe = pipe.expect("stdout and stderr are pipes");
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}
