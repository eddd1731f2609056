//! Escalation from TERM to KILL for a stopping command.

use std::time::Duration;

use tokio::time::Instant as Deadline;

use crate::output::Signal;
use crate::transport::command_channel::CommandChannel;
use crate::transport::running::CommandOutcome;
use crate::transport::termination::stop_signal::StopLevel;

/// The time between TERM and KILL. The sum with [`EXIT_GRACE`] is less than two seconds, so a
/// cancelled run ends within two seconds.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// The time to wait for the end of a killed command.
const EXIT_GRACE: Duration = Duration::from_millis(700);

/// The reason for stopping a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    TimedOut,
    Stopped,
}

impl StopReason {
    pub(crate) fn outcome(self, is_confirmed: bool) -> CommandOutcome {
        match self {
            Self::TimedOut => CommandOutcome::TimedOut { is_confirmed },
            Self::Stopped => CommandOutcome::Stopped { is_confirmed },
        }
    }
}

/// The current step of the escalation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Escalation {
    Running,
    Terminated { reason: StopReason, kill_at: Deadline },
    Killed { reason: StopReason, give_up_at: Deadline },
}

impl Escalation {
    pub(crate) fn reason(self) -> Option<StopReason> {
        match self {
            Self::Running => None,
            Self::Terminated { reason, .. } | Self::Killed { reason, .. } => Some(reason),
        }
    }

    /// Returns the highest stop level that was already handled.
    pub(crate) fn handled_level(self) -> StopLevel {
        match self {
            Self::Running => StopLevel::None,
            Self::Terminated { .. } => StopLevel::Stop,
            Self::Killed { .. } => StopLevel::Kill,
        }
    }
}

pub(crate) async fn escalate<C: CommandChannel>(
    channel: &mut C,
    last_signal: &Signal,
    escalation: Escalation,
    level: StopLevel,
) -> Escalation {
    let reason = escalation.reason().unwrap_or(StopReason::Stopped);
    match level {
        StopLevel::Kill => kill(channel, last_signal, reason).await,
        StopLevel::None | StopLevel::Stop => terminate(channel, reason).await,
    }
}

pub(crate) async fn terminate<C: CommandChannel>(channel: &mut C, reason: StopReason) -> Escalation {
    channel.signal(Signal::new("TERM")).await;
    Escalation::Terminated { reason, kill_at: Deadline::now() + KILL_GRACE }
}

pub(crate) async fn kill<C: CommandChannel>(channel: &mut C, last_signal: &Signal, reason: StopReason) -> Escalation {
    channel.signal(last_signal.clone()).await;
    Escalation::Killed { reason, give_up_at: Deadline::now() + EXIT_GRACE }
}
