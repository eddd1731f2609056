//! A command of this machine with a pipe for each of its streams.

use std::io;
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::{ProcessEnv, ProcessGroup};
use crate::error::Error;
use crate::event::Stream;
use crate::output::Signal;
use crate::transport::command_channel::{Message, Wire, unread};
use crate::transport::local::process::{PIECE, exited, number};
use crate::transport::request::{Answer, Stdin};
use crate::transport::stdin_queue::Inlet;

/// A child process as a channel.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: ProcessGroup,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    /// Whether the status was told.
    exited: bool,
    stdin: Option<ChildStdin>,
    inlet: Inlet,
}

impl Process {
    /// Starts a line by `sh -c`.
    pub(super) fn start(line: &str, stdin: Stdin) -> io::Result<Self> {
        let inlet = Inlet::new(stdin);
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(line)
            // It is for sudo on hosts, and not for every program that runs here.
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            .stdin(if inlet.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn()?;
        Ok(Self {
            group: ProcessGroup::of(&child),
            stdout: Pipe::new(child.stdout.take()),
            stderr: Pipe::new(child.stderr.take()),
            stdin: child.stdin.take(),
            child,
            exited: false,
            inlet,
        })
    }
}

impl Wire for Process {
    async fn next(&mut self) -> Message {
        loop {
            let done = self.stdout.pipe.is_none() && self.stderr.pipe.is_none();
            if done && self.exited {
                return Message::Closed;
            }
            tokio::select! {
                // The end of one is looked at anew above: its input may stay open for ever.
                bytes = self.stdout.next(), if self.stdout.pipe.is_some() => {
                    if let Some(bytes) = bytes {
                        return Message::Data(Stream::Stdout, bytes);
                    }
                }
                bytes = self.stderr.next(), if self.stderr.pipe.is_some() => {
                    if let Some(bytes) = bytes {
                        return Message::Data(Stream::Stderr, bytes);
                    }
                }
                () = feed(&mut self.stdin, &mut self.inlet), if self.stdin.is_some() => {}
                status = self.child.wait(), if !self.exited => {
                    self.exited = true;
                    return exited(status);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.inlet.answer(answer).map_err(unread)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(number) = number(&signal) {
            self.group.signal(number);
        }
    }

    async fn close(&mut self) {
        self.stdin = None;
        self.stdout.pipe = None;
        self.stderr.pipe = None;
    }
}

/// Writes the input as it comes and closes the pipe at its end; a command that does not read it ends the writing.
/// Cancel safe.
async fn feed(stdin: &mut Option<ChildStdin>, inlet: &mut Inlet) {
    while let (Some(pipe), Some(piece)) = (stdin.as_mut(), inlet.next().await) {
        match pipe.write(&piece).await {
            Ok(n) if n > 0 || piece.is_empty() => inlet.advance(n),
            _ => break,
        }
    }
    *stdin = None;
}

/// One output pipe of a child, until its end.
#[derive(Debug)]
struct Pipe<R> {
    pipe: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(pipe: Option<R>) -> Self {
        Self { pipe, buffer: vec![0; PIECE] }
    }

    /// Returns the next piece, or `None` at the end and ever after. Cancel safe.
    async fn next(&mut self) -> Option<Bytes> {
        let pipe = self.pipe.as_mut()?;
        match pipe.read(&mut self.buffer).await {
            Ok(n) if n > 0 => Some(Bytes::copy_from_slice(self.buffer.get(..n).unwrap_or_default())),
            _ => {
                self.pipe = None;
                None
            }
        }
    }
}
