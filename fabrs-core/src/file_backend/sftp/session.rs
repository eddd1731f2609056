//! [`SftpSession`]: an SFTP session on a channel of the connection.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{Packet, StatusCode};
use tokio::time::timeout;

use super::request_error::RequestError;
use super::stream::{ChannelReceiver, SubsystemChannel};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Event;
use crate::mutex::lock;
use crate::output::Signal;
use crate::state::RunState;
use crate::transfer::channel_buffer::ChannelBuffer;
use crate::transfer::context::TransferContext;
use crate::transport::{
    CommandOutcome, Effect, Invocation, Program, ProgramRejected, Request, RunningCommand, SignalQueue, StdinSource,
    StopLevel, StopSignal,
};

/// The extension for an atomic rename over an existing file.
const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// The extension to flush a file to disk.
const FSYNC: &str = "fsync@openssh.com";
/// The extension for the free space of a file system.
const STATVFS: &str = "statvfs@openssh.com";
/// The time limit for the server to exit after the end of the input.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A session with the SFTP server of a host. Dropping the session ends the server.
pub(crate) struct SftpSession {
    raw: RawSftpSession,
    pub(crate) context: TransferContext,
    run: RunState,
    incoming: ChannelBuffer,
    /// Keeps the server process running until the end of the input.
    running: Option<RunningCommand>,
    /// True if a rename can replace an existing file.
    pub(crate) supports_replace: bool,
    /// True if the server reports the free space.
    pub(crate) supports_statvfs: bool,
    /// True if the server can flush a file to disk.
    pub(crate) supports_fsync: bool,
    /// The directories with uploads of this session.
    directories: Mutex<HashSet<String>>,
}

impl SftpSession {
    /// Opens a session for an operation. Events and errors contain `operation`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the host has no SFTP server. Otherwise as for a command.
    pub(crate) async fn open(context: &TransferContext, effect: Effect, operation: &str) -> Result<Arc<Self>> {
        let (host, run) = context.connection.host_and_run(context.location)?;
        let Some(transport) = context.connection.transport() else {
            return Err(Error::new(ErrorKind::Internal, "internal error: the host has no transport").on(host));
        };
        let shown: Arc<str> = context.connection.redactor().text(&format!("{operation} by SFTP")).into();
        let sink = context.connection.sink();
        let echo = run.defaults().echo;
        let number = run.next_number();
        sink.event(&Event::CommandStarted { id: number, host, command: &shown, is_echoed: echo });
        let SubsystemChannel { stream, chunks, incoming } = SubsystemChannel::new();
        let (program, stdin) = (Program::Subsystem("sftp"), StdinSource::Pieces(chunks));
        let last_signal = Signal::new("KILL");
        let (received, description) = (incoming.clone(), Arc::clone(&shown));
        let receiver = ChannelReceiver { incoming: received, number, host: host.clone(), shown: description, sink };
        let running = transport.start(Request {
            host: host.clone(),
            invocation: Invocation {
                program,
                shown,
                plan: None,
                pty: None,
                stdin,
                has_secret: context.has_secret,
                last_signal,
            },
            effect,
            is_check: context.is_check,
            // Neither a timeout nor a stop ends the session: a cancelled transfer needs the session
            // for its clean-up.
            timeout: None,
            stop: StopSignal::default(),
            prefetch_channel: run.defaults().prefetch_channel,
            signals: SignalQueue::default(),
            receiver: Box::new(receiver),
        });
        // The keepalives of the connection detect a dead server. A slow link is not an error.
        let config = Config { request_timeout_secs: u64::MAX, ..Config::default() };
        let raw = RawSftpSession::new_with_config(stream, config);
        let session = Self {
            raw,
            context: context.clone(),
            run: run.clone(),
            incoming,
            running: Some(running),
            supports_replace: false,
            supports_statvfs: false,
            supports_fsync: false,
            directories: Mutex::default(),
        };
        session.begin(operation).await
    }

    /// Initialises the protocol, and records the extensions of the server.
    async fn begin(mut self, operation: &str) -> Result<Arc<Self>> {
        match self.request(self.raw.init()).await {
            Ok(version) => {
                self.supports_replace = version.extensions.contains_key(POSIX_RENAME);
                self.supports_fsync = version.extensions.contains_key(FSYNC);
                self.supports_statvfs = version.extensions.contains_key(STATVFS);
                self.context.connection.used.store(true, Ordering::Relaxed);
                Ok(Arc::new(self))
            }
            Err(error) => Err(error.into_error(&self.context, operation)),
        }
    }

    /// Returns the client for requests.
    pub(crate) fn raw(&self) -> &RawSftpSession {
        &self.raw
    }

    /// Returns true for the first upload to a directory in this session.
    pub(crate) fn is_first_in(&self, folder: &str) -> bool {
        lock(&self.directories).insert(folder.to_owned())
    }

    /// Returns the run, for tasks that clean up.
    pub(crate) fn run(&self) -> &RunState {
        &self.run
    }

    /// Waits for the answer to a request, or for the end of the session.
    pub(crate) async fn request<T>(
        &self,
        request: impl Future<Output = std::result::Result<T, SftpError>>,
    ) -> std::result::Result<T, RequestError> {
        let answer = tokio::select! {
            biased;
            answer = request => answer,
            // The client does not report the end of the stream to later requests.
            _ = self.incoming.ended() => return Err(RequestError::Failed(self.ended().await)),
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(SftpError::Status(status)) => Err(RequestError::Rejected(status)),
            // An invalid packet, or the end of the stream.
            Err(_) => Err(RequestError::Failed(self.ended().await)),
        }
    }

    /// Renames a file, and replaces an existing file atomically.
    pub(crate) async fn replace(&self, from: &str, to: &str) -> std::result::Result<(), RequestError> {
        let data = encode_strings(&[from, to]);
        match self.request(self.raw.extended(POSIX_RENAME, data)).await? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(RequestError::Rejected(status)),
            _ => Err(RequestError::message("the SFTP server sent an unexpected answer")),
        }
    }

    /// Waits for the end of a broken session, and returns the error.
    async fn ended(&self) -> Error {
        // The server should exit at the end of the input.
        let _is_closed = self.raw.close_session();
        let host = self.context.connection.host();
        let outcome = timeout(END_TIMEOUT, self.incoming.ended()).await.ok().flatten();
        let error = match outcome {
            Some(CommandOutcome::Failed(error)) if ProgramRejected::caused(&error) => {
                Error::new(ErrorKind::File, "the host has no SFTP server")
            }
            Some(CommandOutcome::Failed(error) | CommandOutcome::Truncated(_, error)) => error,
            Some(CommandOutcome::Planned) => Error::new(ErrorKind::NotRun, "SFTP does not run in a dry run"),
            Some(CommandOutcome::Stopped { .. }) => Error::new(ErrorKind::Cancelled, "the SFTP session was stopped"),
            Some(CommandOutcome::Exited(status)) => {
                let text = format!("the SFTP server ended with {status}");
                Error::new(ErrorKind::File, "the SFTP session ended").caused_by(CauseText(text))
            }
            Some(CommandOutcome::TimedOut { .. }) | None => {
                Error::new(ErrorKind::File, "the answer of the host is not valid SFTP")
            }
        };
        error.or_on(host)
    }
}

/// Encodes strings for SFTP, each after the length as a 32-bit number.
fn encode_strings(words: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    for word in words {
        data.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(word.as_bytes());
    }
    data
}

impl fmt::Debug for SftpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpSession").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Drop for SftpSession {
    /// Ends the input of the server, and lets a task of the run wait for the exit. A server killed
    /// by a signal would report a failure.
    fn drop(&mut self) {
        let _is_closed = self.raw.close_session();
        if let (Some(running), Ok(runtime)) = (self.running.take(), tokio::runtime::Handle::try_current()) {
            let kill = self.run.stop().clone();
            let awaited = async move {
                tokio::select! {
                    _ = kill.wait_above(StopLevel::Stop) => {}
                    _ = timeout(END_TIMEOUT, running) => {}
                }
            };
            self.run.tasks().spawn_on(awaited, &runtime);
        }
    }
}
