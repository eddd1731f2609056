//! Cancellable reading of a line from the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::sync::oneshot;

/// The size of the buffer in bytes. The kernel limits a line to 4,096 bytes (termios(3), canonical
/// mode). The buffer never grows, so no copy of a password stays in memory.
const MAX_LINE: usize = 4096;

/// Prints a question at the terminal and reads a line, without its line end.
///
/// A separate thread reads the terminal. Blocking tasks of the runtime's pool therefore cannot
/// delay a prompt.
///
/// # Errors
///
/// The error of the terminal, or `UnexpectedEof` at the end of input (Ctrl-D).
///
/// # Cancel safety
///
/// Dropping the future stops the reader. A line typed later is kept for the next reader.
pub(super) async fn read_line(question: &str) -> io::Result<String> {
    let (cancelled, _cancel_on_drop) = io::pipe()?;
    let (answer, answered) = oneshot::channel();
    let question = question.to_owned();
    let reader = move || {
        // The receiver is gone if the question was withdrawn.
        let _withdrawn = answer.send(prompt(&question, &cancelled));
    };
    thread::Builder::new().name("fabrs-prompt".to_owned()).spawn(reader)?;
    answered.await.unwrap_or_else(|_| Err(io::Error::other("the reader of the terminal panicked")))
}

fn prompt(question: &str, cancelled: &PipeReader) -> io::Result<String> {
    OpenOptions::new().write(true).open("/dev/tty")?.write_all(question.as_bytes())?;
    // Another reader may read the input first. A blocking read would then miss a withdrawn
    // question, which only `poll` reports.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let tty = OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty")?;
    let mut line = vec![0; MAX_LINE];
    let mut length = 0;
    while length < line.len() && !line.get(..length).is_some_and(|line| line.ends_with(b"\n")) {
        wait_for_input(&tty, cancelled)?;
        match rustix::io::read(&tty, line.get_mut(length..).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => length += count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    line.truncate(length);
    let end = line.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    line.truncate(end);
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the line is not UTF-8"))
}

/// Blocks until the terminal has input. Fails if the question was withdrawn, and leaves later input
/// to the next reader.
fn wait_for_input(tty: &File, cancelled: &PipeReader) -> io::Result<()> {
    loop {
        let mut fds = [PollFd::new(tty, PollFlags::IN), PollFd::new(cancelled, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !fds[1].revents().is_empty() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}
