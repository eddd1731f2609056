//! Making a running command end: TERM, then KILL, then giving up.

use std::time::Duration;

use tokio::time::Instant as Deadline;

use crate::output::Signal;
use crate::transport::command_channel::Wire;
use crate::transport::running::How;
use crate::transport::termination::stop_signal::Level;

/// How long a command has between TERM and KILL. With [`LAST_WAIT`] it keeps every cancel below two seconds.
const GRACE: Duration = Duration::from_secs(1);
/// How long the end of a killed command is waited for.
const LAST_WAIT: Duration = Duration::from_millis(700);

/// Why a command is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    TimedOut,
    Stopped,
}

impl Why {
    pub(crate) fn how(self, gone: bool) -> How {
        match self {
            Self::TimedOut => How::TimedOut { gone },
            Self::Stopped => How::Stopped { gone },
        }
    }
}

/// How far up the ladder a command is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ladder {
    Running,
    Terminated { why: Why, kill_at: Deadline },
    Killed { why: Why, give_up_at: Deadline },
}

impl Ladder {
    pub(crate) fn why(self) -> Option<Why> {
        match self {
            Self::Running => None,
            Self::Terminated { why, .. } | Self::Killed { why, .. } => Some(why),
        }
    }

    /// Returns the level of stopping that has been answered already.
    pub(crate) fn answered(self) -> Level {
        match self {
            Self::Running => Level::Run,
            Self::Terminated { .. } => Level::Stop,
            Self::Killed { .. } => Level::Kill,
        }
    }
}

pub(crate) async fn climb<W: Wire>(wire: &mut W, last_signal: &Signal, ladder: Ladder, level: Level) -> Ladder {
    let why = ladder.why().unwrap_or(Why::Stopped);
    match level {
        Level::Kill => kill(wire, last_signal, why).await,
        Level::Run | Level::Stop => terminate(wire, why).await,
    }
}

pub(crate) async fn terminate<W: Wire>(wire: &mut W, why: Why) -> Ladder {
    wire.signal(Signal::new("TERM")).await;
    Ladder::Terminated { why, kill_at: Deadline::now() + GRACE }
}

pub(crate) async fn kill<W: Wire>(wire: &mut W, last_signal: &Signal, why: Why) -> Ladder {
    wire.signal(last_signal.clone()).await;
    Ladder::Killed { why, give_up_at: Deadline::now() + LAST_WAIT }
}
