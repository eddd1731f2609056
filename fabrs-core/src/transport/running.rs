//! A command on its way, and how it ended.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::output::ExitStatus;
use crate::transport::termination::stop_signal::{Level, RunStop};

/// How a command ended, and how long it took.
#[derive(Debug, Clone)]
pub struct End {
    /// How.
    pub how: How,
    /// How long it took, from its start.
    pub elapsed: Duration,
}

/// The ways in which a command can end.
#[derive(Debug, Clone)]
pub enum How {
    /// By itself, or by a signal that was not ours.
    Exited(ExitStatus),
    /// Like [`Exited`](Self::Exited), but the way to it was lost, for this reason, before all of its output had come.
    Cut(ExitStatus, Error),
    /// It ran longer than it was given; whether all of it is known to be gone.
    TimedOut {
        /// Whether its end was confirmed.
        gone: bool,
    },
    /// It was told to end; whether all of it is known to be gone.
    Stopped {
        /// Whether its end was confirmed.
        gone: bool,
    },
    /// It never began, or the way to it was lost: the error's kind tells which.
    Failed(Error),
    /// It was planned and not run.
    Planned,
}

impl How {
    /// Returns the reason if the command did not end by itself.
    pub(crate) fn error(&self) -> Option<Error> {
        let left = |gone: bool| if gone { "" } else { " and may still be running" };
        match self {
            Self::Exited(_) | Self::Planned => None,
            Self::Cut(_, error) | Self::Failed(error) => Some(error.clone()),
            Self::TimedOut { gone } => {
                Some(Error::new(ErrorKind::Timeout, format!("the command timed out{}", left(*gone))))
            }
            Self::Stopped { gone } => {
                Some(Error::new(ErrorKind::Cancelled, format!("the command was stopped{}", left(*gone))))
            }
        }
    }
}

/// A command on its way; a future of its end. Dropping it ends the command.
#[must_use = "dropping it ends the command"]
pub struct Running {
    end: oneshot::Receiver<End>,
    stop: RunStop,
    /// What makes another end of it.
    map: Option<Box<dyn FnOnce(End) -> End + Send + Sync>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("end", &self.end).field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// The other side of a [`Running`], for the task that carries the command.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) end: oneshot::Sender<End>,
    pub(crate) stop: RunStop,
}

impl Running {
    /// Makes the two sides.
    pub(crate) fn pair() -> (Self, Carrier) {
        let (sender, end) = oneshot::channel();
        let stop = RunStop::default();
        (Self { end, stop: stop.clone(), map: None }, Carrier { end: sender, stop })
    }

    /// Returns the same command with another end: what `map` makes of it.
    pub(crate) fn map(mut self, map: impl FnOnce(End) -> End + Send + Sync + 'static) -> Self {
        self.map = Some(match self.map.take() {
            Some(first) => Box::new(move |end| map(first(end))),
            None => Box::new(map),
        });
        self
    }

    /// Makes one that has ended already.
    pub(crate) fn ended(end: End) -> Self {
        let (running, carrier) = Self::pair();
        // The receiver is in `running`, so the send can't fail.
        drop(carrier.end.send(end));
        running
    }
}

impl Future for Running {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let end = ready!(Pin::new(&mut self.end).poll(cx));
        let end = end.unwrap_or_else(|_| End {
            how: How::Failed(Error::new(ErrorKind::Internal, "the task that carried the command is gone")),
            elapsed: Duration::ZERO,
        });
        Poll::Ready(match self.map.take() {
            Some(map) => map(end),
            None => end,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.raise(Level::Stop);
    }
}
