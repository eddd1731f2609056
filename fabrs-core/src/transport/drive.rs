//! Carrying one command from its start to its end, whatever it runs on.
//!
//! One loop that always empties the channel, keeps the time and, when the command is to end, climbs the ladder: TERM to
//! its process group, KILL after a second, and after most of another the channel is closed and the command named as
//! possibly left behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Instant as Deadline, sleep_until};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind};
use crate::host::Host;
use crate::output::{ExitStatus, Signal};
use crate::transport::command_channel::{Message, Refused, Wire};
use crate::transport::request::{Answer, Invocation, Receive, Request};
use crate::transport::running::{Carrier, End, How};
use crate::transport::signals::Signals;
use crate::transport::termination::escalation::{Ladder, Why, climb, kill, terminate};
use crate::transport::termination::stop_signal::{Level, RunStop};

/// What is still needed of a request when its command runs.
struct Command {
    host: Host,
    shown: Arc<str>,
    timeout: Option<Duration>,
    last_signal: Signal,
    signals: Signals,
    receiver: Box<dyn Receive>,
    /// Tells when the whole run is to end.
    run: RunStop,
    /// Tells when this command is.
    stop: RunStop,
}

/// Starts a command by `start` and carries it to its end; `start` is given up when the command is to end before it is
/// done.
pub(crate) async fn carry<W, F>(request: Request, carrier: Carrier, start: impl FnOnce(Invocation) -> F)
where
    W: Wire,
    F: Future<Output = Result<W, Error>> + Send,
{
    let Carrier { end: sender, stop } = carrier;
    let Request { host, invocation, timeout, signals, receiver, stop: run, .. } = request;
    let (shown, last_signal) = (Arc::clone(&invocation.shown), invocation.last_signal.clone());
    let mut command = Command { host, shown, timeout, last_signal, signals, receiver, run, stop };
    let start = start(invocation);
    let opened = tokio::select! {
        biased;
        _ = command.run.above(Level::Run) => None,
        _ = command.stop.above(Level::Run) => None,
        opened = start => Some(opened),
    };
    let began = Instant::now();
    let how = match opened {
        None => How::Stopped { gone: true },
        Some(Err(error)) => How::Failed(error),
        Some(Ok(wire)) => drive(wire, &mut command).await,
    };
    let end = End { how, elapsed: began.elapsed() };
    command.receiver.ended(&end);
    // Nobody listens where the command was dropped; the receiver above has been told all the same.
    drop(sender.send(end));
}

/// Waits for all commands of a transport, which can carry others afterwards.
pub(crate) async fn drain(commands: &TaskTracker) {
    commands.close();
    commands.wait().await;
    commands.reopen();
}

async fn drive<W: Wire>(mut wire: W, command: &mut Command) -> How {
    let mut ladder = Ladder::Running;
    let mut status = None;
    let mut whole = false;
    let expires = command.timeout.map(|timeout| Deadline::now() + timeout);
    loop {
        let next_step = match ladder {
            Ladder::Running => expires,
            Ladder::Terminated { kill_at, .. } => Some(kill_at),
            Ladder::Killed { give_up_at, .. } => Some(give_up_at),
        };
        tokio::select! {
            message = wire.next() => match message {
                Message::Data(stream, bytes) => {
                    let mut answer = Answer::default();
                    command.receiver.receive(stream, &bytes, &mut answer);
                    if answer.stops && ladder.why().is_none() {
                        ladder = terminate(&mut wire, Why::Stopped).await;
                    }
                    if !answer.is_empty()
                        && let Err(error) = wire.answer(answer)
                    {
                        wire.signal(Signal::new("TERM")).await;
                        wire.close().await;
                        return How::Failed(error.or_on(Some(&command.host)));
                    }
                }
                Message::Whole => whole = true,
                Message::Exit(exit) => status = Some(exit),
                Message::Refused => {
                    wire.close().await;
                    return How::Failed(refused(command));
                }
                Message::Closed => return closed(command, ladder, status, wire.reaches_all()),
                Message::Lost(error) => return lost(ladder, status, whole, error),
            },
            () = sleep_or_never(next_step) => match ladder {
                Ladder::Running => ladder = terminate(&mut wire, Why::TimedOut).await,
                Ladder::Terminated { why, .. } => ladder = kill(&mut wire, &command.last_signal, why).await,
                Ladder::Killed { why, .. } => {
                    wire.close().await;
                    return why.how(false);
                }
            },
            signal = command.signals.next() => wire.signal(signal).await,
            level = command.stop.above(ladder.answered()) => ladder = climb(&mut wire, &command.last_signal, ladder, level).await,
            level = command.run.above(ladder.answered()) => ladder = climb(&mut wire, &command.last_signal, ladder, level).await,
        }
    }
}

async fn sleep_or_never(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn closed(command: &Command, ladder: Ladder, status: Option<ExitStatus>, is_whole: bool) -> How {
    match (ladder.why(), status) {
        (None, Some(status)) => How::Exited(status),
        (None, None) => How::Failed(
            Error::new(
                ErrorKind::Channel,
                format!("`{}` ended without telling how; it may have done its work", command.shown),
            )
            .on(&command.host),
        ),
        // The server closes a channel when all that holds its ends is gone.
        (Some(why), status) => why.how(status.is_some() && is_whole),
    }
}

fn lost(ladder: Ladder, status: Option<ExitStatus>, whole: bool, error: Error) -> How {
    match (ladder.why(), status) {
        // The status is the command's own word; that the line broke after all was said takes nothing away.
        (None, Some(status)) if whole => How::Exited(status),
        (None, Some(status)) => How::Cut(status, error),
        (None, None) => How::Failed(error),
        (Some(why), _) => why.how(false),
    }
}

fn refused(command: &Command) -> Error {
    let text = format!("the server refused to run `{}`", command.shown);
    Error::new(ErrorKind::Connect, text).on(&command.host).caused_by(Refused)
}
