//! A scripted host, for testing tasks without any.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Stream;
use crate::host::Host;
use crate::mutex::lock;
use crate::output::{ExitStatus, Signal};
use crate::transport::command_channel::{Message, Wire};
use crate::transport::drive::{carry, drain};
use crate::transport::request::{Answer, Request};
use crate::transport::running::Running;
use crate::transport::traits::{Dial, Transport};

/// Hosts that answer as they were told, and fail loudly at any command they were not told about.
///
/// ```
/// use fabrs_core::{Client, Connection, transport::{Fake, FakeAnswer}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// let fake = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
/// let client = Client::builder().dial(fake.clone()).build();
/// let kernel = client.connect("web1")?.probe("uname -r").await?.line()?;
/// assert_eq!(kernel, "6.1.0");
/// assert_eq!(fake.commands(), ["web1: uname -r"]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fake {
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    answers: HashMap<String, FakeAnswer>,
    unreachable: Vec<String>,
    commands: Vec<String>,
}

/// What a scripted host answers to a command.
#[derive(Debug, Clone)]
pub struct FakeAnswer {
    pieces: VecDeque<(Stream, Bytes)>,
    end: FakeEnd,
}

#[derive(Debug, Clone)]
enum FakeEnd {
    Exit(ExitStatus),
    /// The connection breaks before a status.
    Cut,
    /// It never ends by itself; whether it heeds TERM.
    Hang {
        heeds_term: bool,
    },
}

impl FakeAnswer {
    /// Prints `text` to stdout and returns 0.
    pub fn stdout(text: impl Into<String>) -> Self {
        Self { pieces: [(Stream::Stdout, Bytes::from(text.into()))].into(), end: FakeEnd::Exit(ExitStatus::Code(0)) }
    }

    /// Prints nothing and ends with `code`.
    pub fn code(code: u32) -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Exit(ExitStatus::Code(code)) }
    }

    /// Prints nothing and never ends by itself; TERM ends it.
    pub fn hang() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Hang { heeds_term: true } }
    }

    /// Like [`hang`](Self::hang), but only KILL ends it.
    pub fn hang_hard() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Hang { heeds_term: false } }
    }

    /// Breaks the connection before the command's status.
    pub fn cut() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Cut }
    }

    /// Adds a piece of output.
    #[must_use]
    pub fn then(mut self, stream: Stream, piece: impl Into<Bytes>) -> Self {
        self.pieces.push_back((stream, piece.into()));
        self
    }

    /// Ends with `status` instead.
    #[must_use]
    pub fn ending(mut self, status: ExitStatus) -> Self {
        self.end = FakeEnd::Exit(status);
        self
    }
}

impl Fake {
    /// Makes hosts that know no command.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `command`, on every host, by `answer`; on one host where the command is written `host: command`.
    pub fn on(self, command: &str, answer: FakeAnswer) -> Self {
        self.script().answers.insert(command.to_owned(), answer);
        self
    }

    /// Makes a host unreachable.
    pub fn unreachable(self, host: &str) -> Self {
        self.script().unreachable.push(host.to_owned());
        self
    }

    /// Returns what was run, as `host: command`, in the order in which it was started.
    pub fn commands(&self) -> Vec<String> {
        self.script().commands.clone()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        lock(&self.script)
    }

    fn answer(&self, request: &Request) -> Result<FakeWire> {
        let mut script = self.script();
        if script.unreachable.iter().any(|name| name == request.host.name()) {
            return Err(unreachable(&request.host));
        }
        let shown = &*request.invocation.shown;
        let full = format!("{}: {shown}", request.host.label());
        let answer = script.answers.get(&full).or_else(|| script.answers.get(shown)).cloned();
        script.commands.push(full);
        match answer {
            Some(answer) => Ok(FakeWire { answer, told: false, signalled: None }),
            None => Err(Error::new(ErrorKind::Usage, format!("the scripted host does not know `{shown}`"))
                .on(&request.host)
                .hint("tell it with `Fake::on`")),
        }
    }
}

fn unreachable(host: &Host) -> Error {
    Error::new(ErrorKind::Connect, "could not connect").on(host)
}

impl Dial for Fake {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(FakeHost { host: host.clone(), fake: self.clone(), commands: TaskTracker::new() }))
    }
}

/// One scripted host.
#[derive(Debug)]
struct FakeHost {
    host: Host,
    fake: Fake,
    commands: TaskTracker,
}

impl Transport for FakeHost {
    fn start(&self, request: Request) -> Running {
        let (running, carrier) = Running::pair();
        let answer = self.fake.answer(&request);
        self.commands.spawn(carry(request, carrier, |_| async { answer }));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        let reachable = !self.fake.script().unreachable.iter().any(|name| name == self.host.name());
        async move { if reachable { Ok(()) } else { Err(unreachable(&self.host)) } }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        drain(&self.commands).boxed()
    }
}

#[derive(Debug)]
struct FakeWire {
    answer: FakeAnswer,
    told: bool,
    signalled: Option<Signal>,
}

impl Wire for FakeWire {
    async fn next(&mut self) -> Message {
        if let Some((stream, bytes)) = self.answer.pieces.pop_front() {
            return Message::Data(stream, bytes);
        }
        if std::mem::replace(&mut self.told, true) {
            return Message::Closed;
        }
        let ended_by = match (&self.answer.end, &self.signalled) {
            (FakeEnd::Exit(status), _) => Some(status.clone()),
            (FakeEnd::Cut, _) => return Message::Lost(Error::new(ErrorKind::Channel, "the connection was cut")),
            (FakeEnd::Hang { heeds_term: false }, Some(signal)) if signal.name() == "TERM" => None,
            (FakeEnd::Hang { .. }, Some(signal)) => Some(ExitStatus::Signal(signal.clone())),
            (FakeEnd::Hang { .. }, None) => None,
        };
        match ended_by {
            Some(status) => Message::Exit(status),
            None => {
                self.told = false;
                std::future::pending().await
            }
        }
    }

    fn answer(&mut self, _: Answer) -> Result<()> {
        Ok(())
    }

    async fn signal(&mut self, signal: Signal) {
        self.signalled = Some(signal);
    }

    async fn close(&mut self) {}
}
