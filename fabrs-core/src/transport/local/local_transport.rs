//! The transport for commands on this machine (`@local`).

use futures::future::{BoxFuture, FutureExt};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::Signal;
use crate::transport::command_channel::{ChannelMessage, CommandChannel, ProgramRejected};
use crate::transport::drive::{drive, wait_and_reopen};
use crate::transport::local::piped_process::PipedProcess;
use crate::transport::local::pty_process::PtyProcess;
use crate::transport::request::{Answer, Invocation, Program, Request};
use crate::transport::running::RunningCommand;
use crate::transport::traits::Transport;

/// Runs commands on this machine by `sh -c`, each in its own process group.
#[derive(Debug, Default)]
pub struct LocalTransport {
    commands: TaskTracker,
}

impl Transport for LocalTransport {
    fn start(&self, request: Request) -> RunningCommand {
        let (running, sender) = RunningCommand::channel();
        let host = request.host.clone();
        // The process starts inside the task, so a command dropped earlier never starts.
        self.commands.spawn(drive(request, sender, |invocation| async move { spawn(&host, invocation) }));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        wait_and_reopen(&self.commands).boxed()
    }
}

/// A running command of this machine.
#[derive(Debug)]
enum LocalProcess {
    /// A process with a pipe for each stream.
    Piped(Box<PipedProcess>),
    /// A process on a pseudo-terminal.
    Pty(Box<PtyProcess>),
}

impl CommandChannel for LocalProcess {
    async fn next(&mut self) -> ChannelMessage {
        match self {
            Self::Piped(process) => process.next().await,
            Self::Pty(process) => process.next().await,
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<()> {
        match self {
            Self::Piped(process) => process.answer(answer),
            Self::Pty(process) => process.answer(answer),
        }
    }

    async fn signal(&mut self, signal: Signal) {
        match self {
            Self::Piped(process) => process.signal(signal).await,
            Self::Pty(process) => process.signal(signal).await,
        }
    }

    async fn close(&mut self) {
        match self {
            Self::Piped(process) => process.close().await,
            Self::Pty(process) => process.close().await,
        }
    }
}

fn spawn(host: &Host, invocation: Invocation) -> Result<LocalProcess> {
    let line = match invocation.program {
        Program::Line(line) | Program::Script(line) => line,
        // The same cause as from a server without the subsystem, so callers fall back.
        Program::Subsystem(name) => {
            let text = format!("this machine has no subsystem `{name}`");
            return Err(Error::new(ErrorKind::Connect, text).on(host).caused_by(ProgramRejected));
        }
    };
    if let Some(pty) = invocation.pty {
        let started = PtyProcess::start(&line, pty, invocation.stdin).map_err(|source| {
            let text = "could not start `setsid` on a local pseudo-terminal";
            Error::new(ErrorKind::Local, text).on(host).caused_by(source)
        })?;
        return Ok(LocalProcess::Pty(Box::new(started)));
    }
    let started = PipedProcess::start(&line, invocation.stdin).map_err(|source| {
        Error::new(ErrorKind::Local, "could not start `sh` on this machine").on(host).caused_by(source)
    })?;
    Ok(LocalProcess::Piped(Box::new(started)))
}
