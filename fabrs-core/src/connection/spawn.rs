//! Starts a command and returns its handle, or the stream of its lines.

use super::command::{Command, State};
use super::hide::Hide;
use super::line_stream::{LineSplitter, LineStream, SharedQueue};
use super::spawned::Spawned;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::SignalQueue;

impl Command {
    /// Starts the command now, with its output hidden, and returns its handle, to be awaited when it is needed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the line can't be sent, and of one that is left to itself ([`disown`](Self::disown)).
    pub fn spawn(self) -> Result<Spawned> {
        let mut command = self.map_spec(|spec| spec.hide = Hide::Both);
        let (mut writer, mut signals) = (None, SignalQueue::default());
        if let State::Built(spec) = &mut command.state {
            if spec.detached {
                let text = "a command that is left to itself has no handle";
                let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
                return Err(error.hint("say `.disown()` or `.spawn()`"));
            }
            writer = spec.stdin.open_writer();
            signals = spec.signals.clone();
        }
        command.start()?;
        command.drive();
        Ok(Spawned::new(command, writer, signals))
    }

    /// Starts the command now and returns the lines of its stdout as they come, rather than when it has ended: for `tail -f`.
    /// They are not shown.
    ///
    /// ```
    /// # use fabrs_core::{Client, ShellLine, Result};
    /// use futures::TryStreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let mut lines = here.run("echo one; echo two").stream_lines()?;
    /// while let Some(line) = lines.try_next().await? {
    ///     println!("{line}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn); each item as awaiting the command, and [`ErrorKind::Truncated`] where 64 MiB of lines wait
    /// for being read.
    pub fn stream_lines(self) -> Result<LineStream> {
        if let State::Built(spec) = &self.state
            && spec.retry.is_some()
        {
            let text = "the lines of a command that is run again can't be told apart";
            let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
            return Err(error.hint("leave `.retry(..)` or `.retry_for(..)` out"));
        }
        let queue = SharedQueue::default();
        let splitter = LineSplitter::new(&queue);
        Ok(LineStream::new(queue, self.with_watcher(splitter).spawn()?))
    }
}
