//! [`Command::spawn`] and [`Command::stream_lines`]: start a command in the background.

use super::command::{Command, CommandState};
use super::hide::Hide;
use super::line_stream::{LineSplitter, LineStream, SharedQueue};
use super::spawned::Spawned;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::SignalQueue;

impl Command {
    /// Starts the command immediately, with hidden output, and returns a handle. Await the handle
    /// for the output.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let build = here.run("echo built").spawn()?;
    /// let test = here.run("echo tested").await?;
    /// assert_eq!(build.await?.line()?, "built");
    /// assert_eq!(test.line()?, "tested");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the line cannot be sent, or the command is [disowned](Self::disown).
    pub fn spawn(self) -> Result<Spawned> {
        let mut command = self.map_spec(|spec| spec.hide = Hide::Both);
        let (mut writer, mut signals) = (None, SignalQueue::default());
        if let CommandState::Built(spec) = &mut command.state {
            if spec.detached {
                let text = "a disowned command has no handle";
                let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
                return Err(error.hint("use either `.disown()` or `.spawn()`"));
            }
            writer = spec.stdin.open_writer();
            signals = spec.signals.clone();
        }
        command.start()?;
        command.drive();
        Ok(Spawned::new(command, writer, signals))
    }

    /// Starts the command immediately and streams the lines of stdout, for example of `tail -f`.
    /// The lines are not shown.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use futures::TryStreamExt;
    ///
    /// let mut lines = here.run("echo one; echo two").stream_lines()?;
    /// let mut received = Vec::new();
    /// while let Some(line) = lines.try_next().await? {
    ///     received.push(line);
    /// }
    /// assert_eq!(received, ["one", "two"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and [`ErrorKind::Usage`] for a command with retries. If the
    /// command fails, the last item is the error, of kind [`ErrorKind::Truncated`] if 64 MiB of
    /// lines are unread.
    pub fn stream_lines(self) -> Result<LineStream> {
        if let CommandState::Built(spec) = &self.state
            && spec.retry.is_some()
        {
            let text = "the lines of several attempts cannot be streamed";
            let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
            return Err(error.hint("remove `.retry(..)` or `.retry_for(..)`"));
        }
        let queue = SharedQueue::default();
        let splitter = LineSplitter::new(&queue);
        Ok(LineStream::new(queue, self.with_watcher(splitter).spawn()?))
    }
}
