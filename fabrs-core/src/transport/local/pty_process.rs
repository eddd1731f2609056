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
use crate::transport::command_channel::{Message, Wire, unread};
use crate::transport::local::process::{PIECE, exited, number};
use crate::transport::pty::{Pty, Size};
use crate::transport::request::{Answer, Stdin};
use crate::transport::stdin_queue::Inlet;

/// What makes a command the leader of a session whose terminal is its input: util-linux's, and busybox's.
const SETSID: &str = "setsid";
/// What a terminal takes for the end of file (`stty eof`), unless a program has changed it.
const END_OF_TRANSMISSION: u8 = 4;

/// A child process and our end of its terminal.
#[derive(Debug)]
pub(super) struct OnTerminal {
    child: Child,
    group: ProcessGroup,
    /// Nothing when nobody holds the other end any more.
    end: Option<AsyncFd<OwnedFd>>,
    pty: Pty,
    exited: bool,
    /// Nothing after its end of file.
    inlet: Option<Inlet>,
    /// Whether the last byte written was not the end of a line.
    in_a_line: bool,
}

impl OnTerminal {
    /// Starts a line by `sh -c`.
    pub(super) fn start(line: &str, pty: Pty, stdin: Stdin) -> io::Result<Self> {
        let end = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&end)?;
        rustix::pty::unlockpt(&end)?;
        let name = rustix::pty::ptsname(&end, Vec::new())?;
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        resize(&end, *pty.size.borrow())?;
        let own = || Ok::<_, io::Error>(Stdio::from(theirs.try_clone()?));
        let child = Command::new(SETSID)
            .args(["-c", "sh", "-c", line])
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            .env("TERM", &*pty.term)
            .stdin(own()?)
            .stdout(own()?)
            .stderr(own()?)
            .spawn()?;
        rustix::fs::fcntl_setfl(&end, rustix::fs::fcntl_getfl(&end)? | OFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "its successor is `unsafe` for what holds here: the end is owned and never replaced"
        )]
        let end = AsyncFd::new(end)?;
        Ok(Self {
            // It leads its group once `setsid` has done its work.
            group: ProcessGroup::of(&child),
            child,
            end: Some(end),
            pty,
            exited: false,
            inlet: Some(Inlet::new(stdin)),
            in_a_line: false,
        })
    }
}

impl Wire for OnTerminal {
    async fn next(&mut self) -> Message {
        loop {
            if self.end.is_none() && self.exited {
                return Message::Closed;
            }
            tokio::select! {
                printed = read(self.end.as_ref()), if self.end.is_some() => match printed {
                    Some(bytes) => return Message::Data(Stream::Stdout, bytes),
                    // When nobody holds the other end, reading fails (EIO).
                    None => self.end = None,
                },
                written = feed(self.end.as_ref(), self.inlet.as_mut(), self.in_a_line), if self.end.is_some() && self.inlet.is_some() => {
                    match written {
                        Some(in_a_line) => self.in_a_line = in_a_line,
                        None => self.inlet = None,
                    }
                }
                size = self.pty.resized() => {
                    if let Some(end) = &self.end {
                        // A terminal that is gone has no size.
                        let _ = resize(end, size);
                    }
                }
                status = self.child.wait(), if !self.exited => {
                    self.exited = true;
                    return exited(status);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.inlet.as_mut().map_or(Ok(()), |inlet| inlet.answer(answer)).map_err(unread)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(number) = number(&signal) {
            self.group.signal(number);
        }
    }

    async fn close(&mut self) {
        self.end = None;
    }
}

async fn read(end: Option<&AsyncFd<OwnedFd>>) -> Option<Bytes> {
    let mut buffer = vec![0; PIECE];
    let read = end?.async_io(Interest::READABLE, |end| Ok(rustix::io::read(end, &mut buffer)?)).await;
    let count = read.ok().filter(|count| *count > 0)?;
    Some(Bytes::copy_from_slice(buffer.get(..count)?))
}

/// Types the next piece of the input, and returns whether a line was left open; nothing after its end, which is typed too: in
/// the middle of a line the first of two characters just hands the line over. Cancel safe.
async fn feed(end: Option<&AsyncFd<OwnedFd>>, inlet: Option<&mut Inlet>, in_a_line: bool) -> Option<bool> {
    let (end, inlet) = (end?, inlet?);
    let typed = [END_OF_TRANSMISSION; 2];
    let piece = inlet.next().await;
    let bytes: &[u8] = match &piece {
        Some(piece) => piece,
        None if in_a_line => &typed,
        None => &typed[..1],
    };
    let count = end.async_io(Interest::WRITABLE, |end| Ok(rustix::io::write(end, bytes)?)).await.ok()?;
    let piece = piece.as_ref()?;
    let last = piece.get(..count)?.last().copied();
    inlet.advance(count);
    Some(last.map_or(in_a_line, |last| last != b'\n'))
}

fn resize(end: impl AsFd, size: Size) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(end, size)?)
}
