//! Program on a pseudo-terminal.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::wait::poll;

/// The program that makes its stdin the controlling terminal of a new session.
const SETSID: &str = "setsid";

/// A program with a terminal of 80 × 24 characters as stdin, stdout and stderr.
///
/// The program is killed on drop, with its process group.
#[derive(Debug)]
pub struct TerminalSession {
    child: Child,
    dir: Option<Arc<TempDir>>,
    keyboard: File,
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
}

/// The output on the terminal, and the length of the part matched by [`TerminalSession::expect`].
#[derive(Debug, Default)]
struct Screen {
    bytes: Vec<u8>,
    matched: usize,
}

impl TerminalSession {
    /// Returns a command for [`TerminalSession::spawn`]. Add arguments and environment to the
    /// command.
    ///
    /// The command runs `setsid` of util-linux: only a process itself can set its controlling
    /// terminal, and std has no safe function to do so in a child.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(SETSID);
        command.args(["--ctty", "--wait"]).arg(program);
        command
    }

    /// Starts the program.
    ///
    /// # Panics
    ///
    /// If `command` was not created by [`TerminalSession::command`], or does not start.
    #[track_caller]
    pub fn spawn(mut command: Command) -> Self {
        assert_eq!(
            command.get_program(),
            SETSID,
            "`TerminalSession::spawn` needs a command of `TerminalSession::command`"
        );
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = File::from(master.expect("/dev/ptmx can be opened"));
        grantpt(&master).expect("the test created the terminal");
        unlockpt(&master).expect("the test created the terminal");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("the size can be set");
        let name = ptsname(&master, Vec::new()).expect("the terminal has a name");
        // Without NOCTTY, the terminal would become the controlling terminal of the test.
        let mut open = OpenOptions::new();
        open.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let slave = open.open(OsStr::from_bytes(name.to_bytes())).expect("the terminal is unlocked");
        let end = || Stdio::from(slave.try_clone().expect("a descriptor can be duplicated"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("`setsid` is installed");

        let screen = Arc::new(Mutex::new(Screen::default()));
        let shared = Arc::clone(&screen);
        let output = master.try_clone().expect("a descriptor can be duplicated");
        let reader = thread::spawn(move || read(output, &shared));
        Self { child, dir: None, keyboard: master, screen, reader: Some(reader) }
    }

    /// Waits for `text` after the previous match. Returns the output up to the end of `text`.
    ///
    /// # Panics
    ///
    /// If `text` is not printed within `limit`, or the program ends. The message has all output.
    #[track_caller]
    pub fn expect(&self, text: &str, limit: Duration) -> String {
        let found = poll(limit, || {
            let has_ended = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            let found = self.with_screen(|screen| screen.take_match(text.as_bytes()));
            found.map(Some).or_else(|| has_ended.then_some(None))
        });
        match found {
            Some(Some(found)) => found,
            Some(None) => panic!("the program ended before `{text}` was printed; output: {:?}", self.screen()),
            None => panic!("timed out after {limit:?} waiting for `{text}`; output: {:?}", self.screen()),
        }
    }

    /// Types text: `\n` ends a line, `\x03` is Ctrl-C, `\x04` is the end of input.
    ///
    /// # Panics
    ///
    /// If the terminal is closed.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal is open");
    }

    /// Changes the size of the terminal. The program receives `SIGWINCH`.
    ///
    /// # Panics
    ///
    /// If the terminal is closed.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).expect("the size can be set");
    }

    /// Returns all output so far, with lines ended by `\r\n`.
    pub fn screen(&self) -> String {
        self.with_screen(|screen| String::from_utf8_lossy(&screen.bytes).into_owned())
    }

    /// Returns the process ID of the program.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program. Returns its exit code, or 128+n after signal n.
    ///
    /// # Panics
    ///
    /// If the program exceeds `limit`. The message has all output.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> i32 {
        let Some(status) = poll(limit, || self.child.try_wait().expect("the test started the process")) else {
            panic!("still runs after {limit:?}; output: {:?}", self.screen());
        };
        // Waits for the last output. The wait is limited, because a daemon may keep the terminal
        // open.
        poll(limit, || self.reader.as_ref().is_none_or(JoinHandle::is_finished).then_some(()));
        exit_code(status)
    }

    /// Keeps a directory until the program ends.
    pub(crate) fn keep_dir(mut self, dir: Arc<TempDir>) -> Self {
        self.dir = Some(dir);
        self
    }

    fn with_screen<T>(&self, action: impl FnOnce(&mut Screen) -> T) -> T {
        action(&mut self.screen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for TerminalSession {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            // After `setsid` has run, the program leads a process group. Before that, no
            // child exists, and only the program itself is killed.
            let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        drop(self.dir.take());
    }
}

impl Screen {
    fn take_match(&mut self, pattern: &[u8]) -> Option<String> {
        let new = &self.bytes[self.matched..];
        let end = new.windows(pattern.len().max(1)).position(|part| part == pattern)? + pattern.len();
        let text = String::from_utf8_lossy(&new[..end]).into_owned();
        self.matched += end;
        Some(text)
    }
}

/// Reads until all processes have closed the terminal. Linux then reports `EIO`.
fn read(mut output: File, screen: &Mutex<Screen>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        screen.lock().unwrap_or_else(PoisonError::into_inner).bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Returns the exit code, or 128+n after signal n.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("the process has ended")
}
