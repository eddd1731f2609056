//! Commands on this machine, written `@local`.

use futures::future::{BoxFuture, FutureExt};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::Signal;
use crate::transport::command_channel::{Message, Refused, Wire};
use crate::transport::drive::{carry, drain};
use crate::transport::local::piped_process::Process;
use crate::transport::local::pty_process::OnTerminal;
use crate::transport::request::{Answer, Invocation, Program, Request};
use crate::transport::running::Running;
use crate::transport::traits::Transport;

/// Runs commands on this machine by `sh -c`, each in a process group of its own.
#[derive(Debug, Default)]
pub struct Local {
    commands: TaskTracker,
}

impl Transport for Local {
    fn start(&self, request: Request) -> Running {
        let (running, carrier) = Running::pair();
        let host = request.host.clone();
        // Not spawned before it is carried: a command that was dropped until then has not begun.
        self.commands.spawn(carry(request, carrier, |invocation| async move { spawn(&host, invocation) }));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        drain(&self.commands).boxed()
    }
}

/// A command of this machine that runs.
#[derive(Debug)]
enum Child {
    /// With a pipe for each stream.
    Piped(Box<Process>),
    /// On a terminal.
    OnTerminal(Box<OnTerminal>),
}

impl Wire for Child {
    async fn next(&mut self) -> Message {
        match self {
            Self::Piped(process) => process.next().await,
            Self::OnTerminal(process) => process.next().await,
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<()> {
        match self {
            Self::Piped(process) => process.answer(answer),
            Self::OnTerminal(process) => process.answer(answer),
        }
    }

    async fn signal(&mut self, signal: Signal) {
        match self {
            Self::Piped(process) => process.signal(signal).await,
            Self::OnTerminal(process) => process.signal(signal).await,
        }
    }

    async fn close(&mut self) {
        match self {
            Self::Piped(process) => process.close().await,
            Self::OnTerminal(process) => process.close().await,
        }
    }
}

fn spawn(host: &Host, invocation: Invocation) -> Result<Child> {
    let line = match invocation.program {
        Program::Line(line) | Program::Script(line) => line,
        // As a server without it answers: what needs it has another way.
        Program::Subsystem(name) => {
            let text = format!("this machine has no subsystem `{name}`");
            return Err(Error::new(ErrorKind::Connect, text).on(host).caused_by(Refused));
        }
    };
    if let Some(pty) = invocation.pty {
        let started = OnTerminal::start(&line, pty, invocation.stdin).map_err(|source| {
            let text = "could not start `setsid` on a terminal of this machine";
            Error::new(ErrorKind::Local, text).on(host).caused_by(source)
        })?;
        return Ok(Child::OnTerminal(Box::new(started)));
    }
    let started = Process::start(&line, invocation.stdin).map_err(|source| {
        Error::new(ErrorKind::Local, "could not start `sh` on this machine").on(host).caused_by(source)
    })?;
    Ok(Child::Piped(Box::new(started)))
}
