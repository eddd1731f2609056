//! A command of this machine with a pipe for each stream.

use std::io;
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::{ProcessEnv, ProcessGroup};
use crate::error::Error;
use crate::event::Stream;
use crate::output::Signal;
use crate::transport::command_channel::{ChannelMessage, CommandChannel, queue_full_error};
use crate::transport::local::process::{CHUNK_SIZE, exit_message, signal_number};
use crate::transport::request::{Answer, StdinSource};
use crate::transport::stdin_queue::StdinQueue;

/// A child process with piped streams.
#[derive(Debug)]
pub(super) struct PipedProcess {
    child: Child,
    group: ProcessGroup,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    /// True if the exit status was reported.
    has_exited: bool,
    stdin: Option<ChildStdin>,
    queue: StdinQueue,
}

impl PipedProcess {
    /// Starts a command line by `sh -c`.
    pub(super) fn start(line: &str, stdin: StdinSource) -> io::Result<Self> {
        let queue = StdinQueue::new(stdin);
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(line)
            // The variable is for sudo on hosts. Local programs must not see the password.
            .env_remove(ProcessEnv::SUDO_PASSWORD)
            .stdin(if queue.is_empty() { Stdio::null() } else { Stdio::piped() })
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
            has_exited: false,
            queue,
        })
    }
}

impl CommandChannel for PipedProcess {
    async fn next(&mut self) -> ChannelMessage {
        loop {
            let done = self.stdout.pipe.is_none() && self.stderr.pipe.is_none();
            if done && self.has_exited {
                return ChannelMessage::Closed;
            }
            tokio::select! {
                // At the end of a pipe, the loop starts again and checks both pipes, because stdin
                // may stay open for ever.
                bytes = self.stdout.next(), if self.stdout.pipe.is_some() => {
                    if let Some(bytes) = bytes {
                        return ChannelMessage::Data(Stream::Stdout, bytes);
                    }
                }
                bytes = self.stderr.next(), if self.stderr.pipe.is_some() => {
                    if let Some(bytes) = bytes {
                        return ChannelMessage::Data(Stream::Stderr, bytes);
                    }
                }
                () = write_stdin(&mut self.stdin, &mut self.queue), if self.stdin.is_some() => {}
                status = self.child.wait(), if !self.has_exited => {
                    self.has_exited = true;
                    return exit_message(status);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.queue.answer(answer).map_err(queue_full_error)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(number) = signal_number(&signal) {
            self.group.signal(number);
        }
    }

    async fn close(&mut self) {
        self.stdin = None;
        self.stdout.pipe = None;
        self.stderr.pipe = None;
    }
}

/// Writes the queue to stdin and closes the pipe at its end. Stops early if the command closes its
/// stdin. Cancel safe.
async fn write_stdin(stdin: &mut Option<ChildStdin>, queue: &mut StdinQueue) {
    while let (Some(pipe), Some(piece)) = (stdin.as_mut(), queue.next().await) {
        match pipe.write(&piece).await {
            Ok(n) if n > 0 || piece.is_empty() => queue.advance(n),
            _ => break,
        }
    }
    *stdin = None;
}

/// An output pipe of a child process.
#[derive(Debug)]
struct Pipe<R> {
    pipe: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(pipe: Option<R>) -> Self {
        Self { pipe, buffer: vec![0; CHUNK_SIZE] }
    }

    /// Returns the next chunk, or `None` at and after the end. Cancel safe.
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
