//! A command of this machine on a pseudo-terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use crate::config::{ProcessEnv, ProcessGroup};
use crate::error::Error;
use crate::event::Stream;
use crate::output::Signal;
use crate::transport::command_channel::{ChannelMessage, CommandChannel, queue_full_error};
use crate::transport::local::process::{CHUNK_SIZE, exit_message, signal_number};
use crate::transport::pty::{Pty, TerminalSize};
use crate::transport::request::{Answer, StdinSource};
use crate::transport::stdin_queue::StdinQueue;

/// The program that makes a command the leader of a session with its stdin as controlling terminal.
/// Part of util-linux and busybox.
const SETSID: &str = "setsid";
/// The default end-of-file character of a terminal (`stty eof`).
const EOT: u8 = 4;

/// A child process and the master side of its terminal.
#[derive(Debug)]
pub(super) struct PtyProcess {
    child: Child,
    group: ProcessGroup,
    /// `None` after the last process has closed the slave side.
    master: Option<AsyncFd<OwnedFd>>,
    pty: Pty,
    has_exited: bool,
    /// `None` after the end of file.
    queue: Option<StdinQueue>,
    /// True if the last byte written was not a line end.
    is_mid_line: bool,
}

impl PtyProcess {
    /// Starts a command line by `sh -c`.
    pub(super) fn start(line: &str, pty: Pty, stdin: StdinSource) -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        resize(&master, *pty.size.borrow())?;
        let slave_stdio = || Ok::<_, io::Error>(Stdio::from(slave.try_clone()?));
        let child = Command::new(SETSID)
            .args(["-c", "sh", "-c", line])
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            .env("TERM", &*pty.term)
            .stdin(slave_stdio()?)
            .stdout(slave_stdio()?)
            .stderr(slave_stdio()?)
            .spawn()?;
        rustix::fs::fcntl_setfl(&master, rustix::fs::fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        #[expect(deprecated, reason = "its successor is `unsafe`, and the descriptor is owned and never replaced")]
        let master = AsyncFd::new(master)?;
        Ok(Self {
            // The child leads its group after `setsid` has run.
            group: ProcessGroup::of(&child),
            child,
            master: Some(master),
            pty,
            has_exited: false,
            queue: Some(StdinQueue::new(stdin)),
            is_mid_line: false,
        })
    }
}

impl CommandChannel for PtyProcess {
    async fn next(&mut self) -> ChannelMessage {
        loop {
            if self.master.is_none() && self.has_exited {
                return ChannelMessage::Closed;
            }
            tokio::select! {
                printed = read(self.master.as_ref()), if self.master.is_some() => match printed {
                    Some(bytes) => return ChannelMessage::Data(Stream::Stdout, bytes),
                    // Reading fails with EIO after the slave side is closed.
                    None => self.master = None,
                },
                written = write_stdin(self.master.as_ref(), self.queue.as_mut(), self.is_mid_line), if self.master.is_some() && self.queue.is_some() => {
                    match written {
                        Some(is_mid_line) => self.is_mid_line = is_mid_line,
                        None => self.queue = None,
                    }
                }
                size = self.pty.resized() => {
                    if let Some(master) = &self.master {
                        // A closed terminal has no size.
                        let _ = resize(master, size);
                    }
                }
                status = self.child.wait(), if !self.has_exited => {
                    self.has_exited = true;
                    return exit_message(status);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.queue.as_mut().map_or(Ok(()), |queue| queue.answer(answer)).map_err(queue_full_error)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(number) = signal_number(&signal) {
            self.group.signal(number);
        }
    }

    async fn close(&mut self) {
        self.master = None;
    }
}

async fn read(master: Option<&AsyncFd<OwnedFd>>) -> Option<Bytes> {
    let mut buffer = vec![0; CHUNK_SIZE];
    let read = master?.async_io(Interest::READABLE, |master| Ok(rustix::io::read(master, &mut buffer)?)).await;
    let count = read.ok().filter(|count| *count > 0)?;
    Some(Bytes::copy_from_slice(buffer.get(..count)?))
}

/// Writes the next chunk of the input, and returns true if the last line is unfinished. At the end
/// of file, types the end-of-file character and returns `None`. In the middle of a line, two
/// characters are necessary: the first only submits the line. Cancel safe.
async fn write_stdin(
    master: Option<&AsyncFd<OwnedFd>>,
    queue: Option<&mut StdinQueue>,
    is_mid_line: bool,
) -> Option<bool> {
    let (master, queue) = (master?, queue?);
    let typed = [EOT; 2];
    let piece = queue.next().await;
    let bytes: &[u8] = match &piece {
        Some(piece) => piece,
        None if is_mid_line => &typed,
        None => &typed[..1],
    };
    let count = master.async_io(Interest::WRITABLE, |master| Ok(rustix::io::write(master, bytes)?)).await.ok()?;
    let piece = piece.as_ref()?;
    let last = piece.get(..count)?.last().copied();
    queue.advance(count);
    Some(last.map_or(is_mid_line, |last| last != b'\n'))
}

fn resize(master: impl AsFd, size: TerminalSize) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(master, size)?)
}
