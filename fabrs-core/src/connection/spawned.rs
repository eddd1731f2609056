//! A command that runs while something else is done.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Signal};
use crate::transport::SignalQueue;

/// The handle of a command that was started by [`Command::spawn`]: a future of its [`Output`].
///
/// # Cancel safety
///
/// Dropping it ends the command, as for [`Command`].
#[derive(Debug)]
#[must_use = "dropping it ends the command"]
pub struct Spawned {
    command: Command,
    writer: Option<mpsc::Sender<Bytes>>,
    signals: SignalQueue,
}

impl Spawned {
    pub(super) fn new(command: Command, writer: Option<mpsc::Sender<Bytes>>, signals: SignalQueue) -> Self {
        Self { command, writer, signals }
    }

    /// Writes to the input of a command that was made with [`Command::stdin_open`], and waits while the command is behind
    /// with reading.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where its input is not open, or was ended, or the command does not read any more.
    ///
    /// # Cancel safety
    ///
    /// Dropped, either all of it is on its way or nothing.
    // The future is a task's own and goes from thread to thread with it, so it must not hold the handle itself.
    pub fn write<B: Into<Bytes>>(&self, bytes: B) -> impl Future<Output = Result<()>> + Send + use<B> {
        let (writer, bytes) = (self.writer.clone(), bytes.into());
        async move {
            let Some(writer) = writer else {
                let error = Error::new(ErrorKind::Usage, "the command's input is not open");
                return Err(error.hint("say `.stdin_open()` before `.spawn()`"));
            };
            // How it ended is for the handle to tell: it may have done so by itself, or never have begun.
            let gone = |_| {
                let error = Error::new(ErrorKind::Usage, "the command reads no more");
                error.hint("await its handle, which tells how it ended")
            };
            writer.send(bytes).await.map_err(gone)
        }
    }

    /// Ends the command's input: it reads the end of file after what was written. Awaiting the handle does so too.
    pub fn end_input(&mut self) {
        self.writer = None;
    }

    /// Sends the command's process group a signal, as far as its host passes it on. sshd does so for all logins but root's,
    /// where TERM and KILL alone get through. Privilege sudo TERM does, and HUP, which kills there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where too many wait already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let refused = || Error::new(ErrorKind::Usage, "too many signals wait for the command");
        if self.signals.send(signal) { Ok(()) } else { Err(refused()) }
    }

    /// Looks for the command's end, and leaves its input as it is.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Output>> {
        Pin::new(&mut self.command).poll(cx)
    }

    /// Waits for the command's end: as awaiting the handle itself.
    ///
    /// # Errors
    ///
    /// As awaiting the command.
    pub async fn wait(self) -> Result<Output> {
        self.await
    }
}

impl Future for Spawned {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.writer = None;
        Pin::new(&mut self.command).poll(cx)
    }
}
