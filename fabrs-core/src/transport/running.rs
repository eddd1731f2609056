//! A running command, as a future, and the outcomes of a command.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::output::ExitStatus;
use crate::transport::termination::stop_signal::{StopLevel, StopSignal};

/// The outcome of a command and its duration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completion {
    /// The outcome.
    pub outcome: CommandOutcome,
    /// The time from the start of the command to its end. The time to connect does not count.
    pub elapsed: Duration,
}

/// The outcome of a command.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CommandOutcome {
    /// The command exited, or was ended by a signal from another program.
    Exited(ExitStatus),
    /// The command exited, but the connection broke before all output arrived.
    Truncated(ExitStatus, Error),
    /// The command exceeded its time limit and was stopped.
    TimedOut {
        /// True if all processes of the command are known to have ended.
        is_confirmed: bool,
    },
    /// The command was stopped on request.
    Stopped {
        /// True if all processes of the command are known to have ended.
        is_confirmed: bool,
    },
    /// The command did not start, or the connection broke. The kind of the error is
    /// [`Connect`](ErrorKind::Connect) before the start, and [`Channel`](ErrorKind::Channel) after.
    Failed(Error),
    /// The command was planned by a dry run and did not start.
    Planned,
}

impl CommandOutcome {
    /// Returns the error. A command that exited with complete output, or that was only planned, has
    /// no error.
    pub(crate) fn error(&self) -> Option<Error> {
        let left = |is_confirmed: bool| if is_confirmed { "" } else { " and may still be running" };
        match self {
            Self::Exited(_) | Self::Planned => None,
            Self::Truncated(_, error) | Self::Failed(error) => Some(error.clone()),
            Self::TimedOut { is_confirmed } => {
                Some(Error::new(ErrorKind::Timeout, format!("the command timed out{}", left(*is_confirmed))))
            }
            Self::Stopped { is_confirmed } => {
                Some(Error::new(ErrorKind::Cancelled, format!("the command was stopped{}", left(*is_confirmed))))
            }
        }
    }
}

/// A running command: a future of its [`Completion`]. Dropping it stops the command.
#[must_use = "dropping it ends the command"]
pub struct RunningCommand {
    end: oneshot::Receiver<Completion>,
    stop: StopSignal,
    /// A function applied to the completion, such as the verdict of a fence.
    map: Option<Box<dyn FnOnce(Completion) -> Completion + Send + Sync>>,
}

impl fmt::Debug for RunningCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningCommand").field("end", &self.end).field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// The sending half of a [`RunningCommand`], held by the task that drives the command.
#[derive(Debug)]
pub(crate) struct CompletionSender {
    pub(crate) completion: oneshot::Sender<Completion>,
    pub(crate) stop: StopSignal,
}

impl RunningCommand {
    /// Creates the two halves.
    pub(crate) fn channel() -> (Self, CompletionSender) {
        let (sender, end) = oneshot::channel();
        let stop = StopSignal::default();
        (Self { end, stop: stop.clone(), map: None }, CompletionSender { completion: sender, stop })
    }

    /// Applies `map` to the completion.
    pub(crate) fn map(mut self, map: impl FnOnce(Completion) -> Completion + Send + Sync + 'static) -> Self {
        self.map = Some(match self.map.take() {
            Some(first) => Box::new(move |end| map(first(end))),
            None => Box::new(map),
        });
        self
    }

    /// Creates a command with a known completion, such as a rejected one.
    pub(crate) fn ended(end: Completion) -> Self {
        let (running, sender) = Self::channel();
        // The receiver is in `running`, so the send can't fail.
        drop(sender.completion.send(end));
        running
    }
}

impl Future for RunningCommand {
    type Output = Completion;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        let end = ready!(Pin::new(&mut self.end).poll(cx));
        let end = end.unwrap_or_else(|_| Completion {
            outcome: CommandOutcome::Failed(Error::new(
                ErrorKind::Internal,
                "internal error: the task of the command ended early",
            )),
            elapsed: Duration::ZERO,
        });
        Poll::Ready(match self.map.take() {
            Some(map) => map(end),
            None => end,
        })
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        self.stop.raise(StopLevel::Stop);
    }
}
