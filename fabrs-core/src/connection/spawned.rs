//! [`Spawned`]: the handle of a command in the background.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Signal};
use crate::transport::SignalQueue;

/// The handle of a command started by [`Command::spawn`], and the future of the [`Output`].
///
/// # Cancel safety
///
/// Dropping the handle kills the command, like dropping a [`Command`].
#[derive(Debug)]
#[must_use = "dropping the handle kills the command"]
pub struct Spawned {
    command: Command,
    writer: Option<mpsc::Sender<Bytes>>,
    signals: SignalQueue,
}

impl Spawned {
    pub(super) fn new(command: Command, writer: Option<mpsc::Sender<Bytes>>, signals: SignalQueue) -> Self {
        Self { command, writer, signals }
    }

    /// Writes to the stdin of a command made with [`Command::stdin_open`]. Waits if the command
    /// reads more slowly than this program writes.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let child = here.run("cat").stdin_open().spawn()?;
    /// child.write("hello\n").await?;
    /// assert_eq!(child.await?.line()?, "hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the stdin is not open or has ended, or the command has stopped
    /// reading.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future sends either all bytes or none.
    // The returned future must be `Send`. The handle is not `Sync`, so the future cannot borrow the
    // handle.
    pub fn write<B: Into<Bytes>>(&self, bytes: B) -> impl Future<Output = Result<()>> + Send + use<B> {
        let (writer, bytes) = (self.writer.clone(), bytes.into());
        async move {
            let Some(writer) = writer else {
                let error = Error::new(ErrorKind::Usage, "the stdin of the command is not open");
                return Err(error.hint("call `.stdin_open()` before `.spawn()`"));
            };
            // The handle reports the reason: the command may have ended, or never have started.
            let closed = |_| {
                let error = Error::new(ErrorKind::Usage, "the command no longer reads its stdin");
                error.hint("await the handle for the result of the command")
            };
            writer.send(bytes).await.map_err(closed)
        }
    }

    /// Ends the stdin of the command: the end of file follows the written bytes. Awaiting the
    /// handle does the same.
    pub fn end_input(&mut self) {
        self.writer = None;
    }

    /// Sends a signal to the process group of the command, if the signal can be delivered.
    ///
    /// sshd forwards no signals for root logins, so fabrs delivers them in another way. On a pty of
    /// a root login, fabrs types `Ctrl-C` for INT and TERM, and `Ctrl-\` for QUIT, HUP and KILL.
    /// Other signals do not reach a command on this pty.
    ///
    /// To kill a command under sudo, send HUP: sudo cannot forward KILL. Doas forwards only TERM.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if too many signals are queued.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let refused = || Error::new(ErrorKind::Usage, "too many signals are queued for the command");
        if self.signals.send(signal) { Ok(()) } else { Err(refused()) }
    }

    /// Polls for the end of the command, and leaves the stdin open.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Output>> {
        Pin::new(&mut self.command).poll(cx)
    }

    /// Waits for the end of the command, like awaiting the handle. Ends the stdin.
    ///
    /// # Errors
    ///
    /// As awaiting the [`Command`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the command.
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
