//! The event loop of a command: output, stdin, time limit and stop signals.
//!
//! The loop always reads the channel, even while the command is being stopped. The steps from TERM
//! to KILL are in [`escalation`](crate::transport::termination::escalation).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Instant as Deadline, sleep_until};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind};
use crate::host::Host;
use crate::output::{ExitStatus, Signal};
use crate::transport::command_channel::{ChannelMessage, CommandChannel, ProgramRejected};
use crate::transport::request::{Answer, Invocation, OutputReceiver, Request};
use crate::transport::running::{CommandOutcome, Completion, CompletionSender};
use crate::transport::signals::SignalQueue;
use crate::transport::termination::escalation::{Escalation, StopReason, escalate, kill, terminate};
use crate::transport::termination::stop_signal::{StopLevel, StopSignal};

/// The parts of a request that are needed while the command runs.
struct DrivenCommand {
    host: Host,
    shown: Arc<str>,
    timeout: Option<Duration>,
    last_signal: Signal,
    signals: SignalQueue,
    receiver: Box<dyn OutputReceiver>,
    /// The stop signal of the whole run.
    run_stop: StopSignal,
    /// The stop signal of this command.
    command_stop: StopSignal,
}

/// Starts a command by `start`, and drives the command to its end. A stop signal cancels `start`.
pub(crate) async fn drive<C, F>(request: Request, sender: CompletionSender, start: impl FnOnce(Invocation) -> F)
where
    C: CommandChannel,
    F: Future<Output = Result<C, Error>> + Send,
{
    let CompletionSender { completion: sender, stop: command_stop } = sender;
    let Request { host, invocation, timeout, signals, receiver, stop: run_stop, .. } = request;
    let (shown, last_signal) = (Arc::clone(&invocation.shown), invocation.last_signal.clone());
    let mut command = DrivenCommand { host, shown, timeout, last_signal, signals, receiver, run_stop, command_stop };
    let start = start(invocation);
    let opened = tokio::select! {
        biased;
        _ = command.run_stop.wait_above(StopLevel::None) => None,
        _ = command.command_stop.wait_above(StopLevel::None) => None,
        opened = start => Some(opened),
    };
    let started = Instant::now();
    let outcome = match opened {
        None => CommandOutcome::Stopped { is_confirmed: true },
        Some(Err(error)) => CommandOutcome::Failed(error),
        Some(Ok(channel)) => drive_channel(channel, &mut command).await,
    };
    let end = Completion { outcome, elapsed: started.elapsed() };
    command.receiver.ended(&end);
    // A dropped caller does not receive the completion. The output receiver above always does.
    drop(sender.send(end));
}

/// Waits for all commands of a transport, then allows new ones.
pub(crate) async fn wait_and_reopen(commands: &TaskTracker) {
    commands.close();
    commands.wait().await;
    commands.reopen();
}

async fn drive_channel<C: CommandChannel>(mut channel: C, command: &mut DrivenCommand) -> CommandOutcome {
    let mut escalation = Escalation::Running;
    let mut status = None;
    let mut has_eof = false;
    let expires = command.timeout.map(|timeout| Deadline::now() + timeout);
    loop {
        let next_deadline = match escalation {
            Escalation::Running => expires,
            Escalation::Terminated { kill_at, .. } => Some(kill_at),
            Escalation::Killed { give_up_at, .. } => Some(give_up_at),
        };
        tokio::select! {
            message = channel.next() => match message {
                ChannelMessage::Data(stream, bytes) => {
                    let mut answer = Answer::default();
                    command.receiver.receive(stream, &bytes, &mut answer);
                    if answer.is_stop && escalation.reason().is_none() {
                        escalation = terminate(&mut channel, StopReason::Stopped).await;
                    }
                    if !answer.is_empty()
                        && let Err(error) = channel.answer(answer)
                    {
                        channel.signal(Signal::new("TERM")).await;
                        channel.close().await;
                        return CommandOutcome::Failed(error.or_on(Some(&command.host)));
                    }
                }
                ChannelMessage::Eof => has_eof = true,
                ChannelMessage::Exit(exit) => status = Some(exit),
                ChannelMessage::Rejected => {
                    channel.close().await;
                    return CommandOutcome::Failed(refused(command));
                }
                ChannelMessage::Closed => return closed(command, escalation, status, channel.can_signal_all()),
                ChannelMessage::Lost(error) => return lost(escalation, status, has_eof, error),
            },
            () = sleep_until_or_forever(next_deadline) => match escalation {
                Escalation::Running => escalation = terminate(&mut channel, StopReason::TimedOut).await,
                Escalation::Terminated { reason, .. } => escalation = kill(&mut channel, &command.last_signal, reason).await,
                Escalation::Killed { reason, .. } => {
                    channel.close().await;
                    return reason.outcome(false);
                }
            },
            signal = command.signals.next() => channel.signal(signal).await,
            level = command.command_stop.wait_above(escalation.handled_level()) => escalation = escalate(&mut channel, &command.last_signal, escalation, level).await,
            level = command.run_stop.wait_above(escalation.handled_level()) => escalation = escalate(&mut channel, &command.last_signal, escalation, level).await,
        }
    }
}

async fn sleep_until_or_forever(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn closed(
    command: &DrivenCommand,
    escalation: Escalation,
    status: Option<ExitStatus>,
    can_signal_all: bool,
) -> CommandOutcome {
    match (escalation.reason(), status) {
        (None, Some(status)) => CommandOutcome::Exited(status),
        (None, None) => CommandOutcome::Failed(
            Error::new(
                ErrorKind::Channel,
                format!("`{}` ended without an exit status; it may have completed", command.shown),
            )
            .on(&command.host),
        ),
        // A server closes the channel after the last process has closed its standard streams.
        (Some(reason), status) => reason.outcome(status.is_some() && can_signal_all),
    }
}

fn lost(escalation: Escalation, status: Option<ExitStatus>, has_eof: bool, error: Error) -> CommandOutcome {
    match (escalation.reason(), status) {
        // All output and the status have arrived, so the result is complete.
        (None, Some(status)) if has_eof => CommandOutcome::Exited(status),
        (None, Some(status)) => CommandOutcome::Truncated(status, error),
        (None, None) => CommandOutcome::Failed(error),
        (Some(reason), _) => reason.outcome(false),
    }
}

fn refused(command: &DrivenCommand) -> Error {
    let text = format!("the server refused to run `{}`", command.shown);
    Error::new(ErrorKind::Connect, text).on(&command.host).caused_by(ProgramRejected)
}
