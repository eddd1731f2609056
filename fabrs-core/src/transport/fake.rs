//! Scripted hosts for tests of tasks, without a server.

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
use crate::transport::command_channel::{ChannelMessage, CommandChannel};
use crate::transport::drive::{drive, wait_and_reopen};
use crate::transport::request::{Answer, Request};
use crate::transport::running::RunningCommand;
use crate::transport::traits::{Dialer, Transport};

/// Scripted hosts: they answer known commands and fail any other command with a usage error.
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

/// The answer of a scripted host to a command.
#[derive(Debug, Clone)]
pub struct FakeAnswer {
    pieces: VecDeque<(Stream, Bytes)>,
    end: FakeEnd,
}

#[derive(Debug, Clone)]
enum FakeEnd {
    Exit(ExitStatus),
    /// The connection breaks before the exit status.
    ConnectionLost,
    /// The command runs until a signal arrives.
    Hang {
        ends_on_term: bool,
    },
}

impl FakeAnswer {
    /// Prints `text` to stdout and exits with code 0.
    pub fn stdout(text: impl Into<String>) -> Self {
        Self { pieces: [(Stream::Stdout, Bytes::from(text.into()))].into(), end: FakeEnd::Exit(ExitStatus::Code(0)) }
    }

    /// Prints no output and exits with `code`.
    pub fn code(code: u32) -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Exit(ExitStatus::Code(code)) }
    }

    /// Prints no output and runs until TERM.
    pub fn hang() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Hang { ends_on_term: true } }
    }

    /// Like [`hang`](Self::hang), but ignores TERM and runs until KILL.
    pub fn hang_ignoring_term() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::Hang { ends_on_term: false } }
    }

    /// Breaks the connection before the exit status.
    pub fn connection_lost() -> Self {
        Self { pieces: VecDeque::new(), end: FakeEnd::ConnectionLost }
    }

    /// Adds a chunk of output.
    ///
    /// ```
    /// # use fabrs_core::{Client, event::Stream, output::ExitStatus, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let answer = FakeAnswer::stdout("1 of 2\n").then(Stream::Stderr, "slow\n").then(Stream::Stdout, "2 of 2\n");
    /// let host = Client::builder().dial(Fake::new().on("import", answer)).build().connect("db1")?;
    /// assert_eq!(host.run("import").await?.stdout()?, "1 of 2\n2 of 2\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn then(mut self, stream: Stream, piece: impl Into<Bytes>) -> Self {
        self.pieces.push_back((stream, piece.into()));
        self
    }

    /// Sets the exit status, in place of the previous end.
    ///
    /// ```
    /// # use fabrs_core::{Client, event::Stream, output::ExitStatus, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let answer = FakeAnswer::stdout("disk full\n").with_status(ExitStatus::Code(28));
    /// let host = Client::builder().dial(Fake::new().on("import", answer)).build().connect("db1")?;
    /// assert_eq!(host.run("import").ok_codes([28]).await?.stdout()?, "disk full\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_status(mut self, status: ExitStatus) -> Self {
        self.end = FakeEnd::Exit(status);
        self
    }
}

impl Fake {
    /// Creates hosts without scripted answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `command` with `answer` on every host. To answer on one host only, write
    /// `host: command`.
    ///
    /// ```
    /// # use fabrs_core::{Client, event::Stream, output::ExitStatus, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let fake = Fake::new().on("uname", FakeAnswer::stdout("Linux\n")).on("mac1: uname", FakeAnswer::stdout("Darwin\n"));
    /// let client = Client::builder().dial(fake).build();
    /// assert_eq!(client.connect("web1")?.run("uname").line().await?, "Linux");
    /// assert_eq!(client.connect("mac1")?.run("uname").line().await?, "Darwin");
    /// # Ok(()) }
    /// ```
    pub fn on(self, command: &str, answer: FakeAnswer) -> Self {
        self.script().answers.insert(command.to_owned(), answer);
        self
    }

    /// Makes a host unreachable.
    ///
    /// ```
    /// # use fabrs_core::{Client, event::Stream, output::ExitStatus, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let client = Client::builder().dial(Fake::new().unreachable("web2")).build();
    /// let error = client.connect("web2")?.run("uptime").await.expect_err("web2 is unreachable");
    /// assert_eq!(error.kind(), fabrs_core::ErrorKind::Connect);
    /// # Ok(()) }
    /// ```
    pub fn unreachable(self, host: &str) -> Self {
        self.script().unreachable.push(host.to_owned());
        self
    }

    /// Returns the commands run so far as `host: command`, in start order.
    pub fn commands(&self) -> Vec<String> {
        self.script().commands.clone()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        lock(&self.script)
    }

    fn answer(&self, request: &Request) -> Result<FakeChannel> {
        let mut script = self.script();
        if script.unreachable.iter().any(|name| name == request.host.name()) {
            return Err(unreachable(&request.host));
        }
        let shown = &*request.invocation.shown;
        let full = format!("{}: {shown}", request.host.label());
        let answer = script.answers.get(&full).or_else(|| script.answers.get(shown)).cloned();
        script.commands.push(full);
        match answer {
            Some(answer) => Ok(FakeChannel { answer, has_ended: false, signalled: None }),
            None => Err(Error::new(ErrorKind::Usage, format!("no scripted answer for `{shown}`"))
                .on(&request.host)
                .hint("add an answer with `Fake::on`")),
        }
    }
}

fn unreachable(host: &Host) -> Error {
    Error::new(ErrorKind::Connect, "could not connect").on(host)
}

impl Dialer for Fake {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(FakeHost { host: host.clone(), fake: self.clone(), commands: TaskTracker::new() }))
    }
}

/// The transport of a scripted host.
#[derive(Debug)]
struct FakeHost {
    host: Host,
    fake: Fake,
    commands: TaskTracker,
}

impl Transport for FakeHost {
    fn start(&self, request: Request) -> RunningCommand {
        let (running, sender) = RunningCommand::channel();
        let answer = self.fake.answer(&request);
        self.commands.spawn(drive(request, sender, |_| async { answer }));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        let reachable = !self.fake.script().unreachable.iter().any(|name| name == self.host.name());
        async move { if reachable { Ok(()) } else { Err(unreachable(&self.host)) } }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        wait_and_reopen(&self.commands).boxed()
    }
}

#[derive(Debug)]
struct FakeChannel {
    answer: FakeAnswer,
    has_ended: bool,
    signalled: Option<Signal>,
}

impl CommandChannel for FakeChannel {
    async fn next(&mut self) -> ChannelMessage {
        if let Some((stream, bytes)) = self.answer.pieces.pop_front() {
            return ChannelMessage::Data(stream, bytes);
        }
        if std::mem::replace(&mut self.has_ended, true) {
            return ChannelMessage::Closed;
        }
        let ended_by = match (&self.answer.end, &self.signalled) {
            (FakeEnd::Exit(status), _) => Some(status.clone()),
            (FakeEnd::ConnectionLost, _) => {
                return ChannelMessage::Lost(Error::new(ErrorKind::Channel, "the connection was cut"));
            }
            (FakeEnd::Hang { ends_on_term: false }, Some(signal)) if signal.name() == "TERM" => None,
            (FakeEnd::Hang { .. }, Some(signal)) => Some(ExitStatus::Signal(signal.clone())),
            (FakeEnd::Hang { .. }, None) => None,
        };
        match ended_by {
            Some(status) => ChannelMessage::Exit(status),
            None => {
                self.has_ended = false;
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
