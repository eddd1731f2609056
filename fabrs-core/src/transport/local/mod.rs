//! Commands on this machine, written `@local`.

mod piped;
mod terminal;

use std::io;
use std::process::ExitStatus;

use futures::future::{BoxFuture, FutureExt};
use tokio_util::task::TaskTracker;

use super::drive::{Message, Refused, Wire, carry, drain};
use super::{Answer, Invocation, Program, Request, Running, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::Signal;

use piped::Process;
use terminal::OnTerminal;

/// How much is read at a time.
const PIECE: usize = 64 << 10;

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

/// Returns how a child has ended, or that nobody knows.
fn exited(status: io::Result<ExitStatus>) -> Message {
    match status {
        Ok(status) => Message::Exit(status.into()),
        Err(source) => {
            let error = Error::new(ErrorKind::Channel, "could not wait for a command of this machine");
            Message::Lost(error.caused_by(source))
        }
    }
}

/// Returns the number of a signal, where this system has it.
fn number(signal: &Signal) -> Option<rustix::process::Signal> {
    signal.number().and_then(|number| rustix::process::Signal::from_named_raw(number.into()))
}
