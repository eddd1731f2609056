//! One SFTP session: opened over the door that every command goes through, and closed with the last who uses it.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{Packet, StatusCode};
use tokio::time::timeout;

use super::fault::Fault;
use super::stream::{Channel, Receiver};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Event;
use crate::files::channel_buffer::ChannelBuffer;
use crate::files::transfer_context::TransferContext;
use crate::output::Signal;
use crate::state::RunState;
use crate::transport::{
    CommandOutcome, Effect, Invocation, Program, ProgramRejected, Request, RunningCommand, SignalQueue, StdinSource,
    StopLevel, StopSignal,
};

/// The rename that replaces what is there, in one step.
const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// The wait for the disk.
const FSYNC: &str = "fsync@openssh.com";
/// The question for the room that is left.
const STATVFS: &str = "statvfs@openssh.com";
/// How long a server may take to end when its input has.
const END_WAIT: Duration = Duration::from_secs(5);

/// A session with a host's SFTP server.
pub(in super::super) struct Session {
    raw: RawSftpSession,
    pub(super) context: TransferContext,
    run: RunState,
    incoming: ChannelBuffer,
    /// Kept so that the server is not ended before its input is.
    running: Option<RunningCommand>,
    /// Whether a rename can replace.
    pub(super) replaces: bool,
    /// Whether the room that is left can be asked for.
    pub(super) tells_room: bool,
    /// Whether it says when a file is on its disk.
    pub(super) flushes: bool,
    /// The folders in which something was put.
    folders: Mutex<HashSet<String>>,
}

impl Session {
    /// Opens one for the work that `what` says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] where the host gives no SFTP, and as any command.
    pub(in super::super) async fn open(
        context: &TransferContext,
        effect: Effect,
        operation: &str,
    ) -> Result<Arc<Self>> {
        let (host, run) = context.connection.host_and_run(context.location)?;
        let Some(transport) = context.connection.transport() else {
            return Err(Error::new(ErrorKind::Internal, "a host without a transport").on(host));
        };
        let shown: Arc<str> = context.connection.redactor().text(&format!("{operation} by SFTP")).into();
        let sink = context.connection.sink();
        let echo = run.defaults().echo;
        let number = run.next_number();
        sink.event(&Event::CommandStarted { id: number, host, command: &shown, is_echoed: echo });
        let Channel { stream, chunks, incoming } = Channel::new();
        let (program, stdin) = (Program::Subsystem("sftp"), StdinSource::Pieces(chunks));
        let last_signal = Signal::new("KILL");
        let (heard, called) = (incoming.clone(), Arc::clone(&shown));
        let receiver = Receiver { incoming: heard, number, host: host.clone(), shown: called, sink };
        let running = transport.start(Request {
            host: host.clone(),
            invocation: Invocation { program, shown, pty: None, stdin, has_secret: context.has_secret, last_signal },
            effect,
            is_check: context.is_check,
            // Who has a limit, or is stopped, still has to clean up by this session.
            timeout: None,
            stop: StopSignal::default(),
            prefetch_channel: run.defaults().prefetch_channel,
            signals: SignalQueue::default(),
            receiver: Box::new(receiver),
        });
        // Whether the server is still there is for the connection to find out; a slow link is no failure.
        let config = Config { request_timeout_secs: u64::MAX, ..Config::default() };
        let raw = RawSftpSession::new_with_config(stream, config);
        let session = Self {
            raw,
            context: context.clone(),
            run: run.clone(),
            incoming,
            running: Some(running),
            replaces: false,
            tells_room: false,
            flushes: false,
            folders: Mutex::default(),
        };
        session.begin(operation).await
    }

    /// Says hello to the server, and takes down what it can do beyond the draft.
    async fn begin(mut self, operation: &str) -> Result<Arc<Self>> {
        match self.ask(self.raw.init()).await {
            Ok(version) => {
                self.replaces = version.extensions.contains_key(POSIX_RENAME);
                self.flushes = version.extensions.contains_key(FSYNC);
                self.tells_room = version.extensions.contains_key(STATVFS);
                self.context.connection.used.store(true, Ordering::Relaxed);
                Ok(Arc::new(self))
            }
            Err(fault) => Err(fault.into_error(&self.context, operation)),
        }
    }

    /// Returns what takes requests.
    pub(super) fn raw(&self) -> &RawSftpSession {
        &self.raw
    }

    /// Tells whether nothing was put in a folder before.
    pub(super) fn is_first_in(&self, folder: &str) -> bool {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned())
    }

    /// Returns whose tasks clean up.
    pub(super) fn run(&self) -> &RunState {
        &self.run
    }

    /// Awaits the answer to a request, or the end of the session.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = std::result::Result<T, SftpError>>,
    ) -> std::result::Result<T, Fault> {
        let answer = tokio::select! {
            biased;
            answer = request => answer,
            // Nobody tells who asks after the end.
            _ = self.incoming.ended() => return Err(Fault::Failed(self.ended().await)),
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(SftpError::Status(status)) => Err(Fault::Refused(status)),
            // Nothing else is an answer: what came was no packet, or the stream has ended.
            Err(_) => Err(Fault::Failed(self.ended().await)),
        }
    }

    /// Replaces a file by another in one step.
    pub(super) async fn replace(&self, from: &str, to: &str) -> std::result::Result<(), Fault> {
        let data = words(&[from, to]);
        match self.ask(self.raw.extended(POSIX_RENAME, data)).await? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(Fault::Refused(status)),
            _ => Err(Fault::said("the SFTP server answered what was not asked")),
        }
    }

    /// Makes the error of a session that has ended, or that speaks something else, whose end is then waited for.
    async fn ended(&self) -> Error {
        // Its input ends, and so should it.
        let _is_closed = self.raw.close_session();
        let host = self.context.connection.host();
        let outcome = timeout(END_WAIT, self.incoming.ended()).await.ok().flatten();
        let error = match outcome {
            Some(CommandOutcome::Failed(error)) if ProgramRejected::caused(&error) => {
                Error::new(ErrorKind::File, "the host gives no SFTP")
            }
            Some(CommandOutcome::Failed(error) | CommandOutcome::Truncated(_, error)) => error,
            Some(CommandOutcome::Planned) => Error::new(ErrorKind::NotRun, "SFTP was only planned"),
            Some(CommandOutcome::Stopped { .. }) => Error::new(ErrorKind::Cancelled, "the SFTP session was stopped"),
            Some(CommandOutcome::Exited(status)) => {
                let text = format!("the SFTP server ended with {status}");
                Error::new(ErrorKind::File, "the SFTP session ended").caused_by(CauseText(text))
            }
            Some(CommandOutcome::TimedOut { .. }) | None => {
                Error::new(ErrorKind::File, "what the host says is no SFTP")
            }
        };
        error.or_on(host)
    }
}

/// Returns texts as SFTP writes them: each behind its length.
fn words(words: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    for word in words {
        data.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(word.as_bytes());
    }
    data
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("place", &self.context).finish_non_exhaustive()
    }
}

impl Drop for Session {
    /// Ends the server's input, and has the client await its end: ended by a signal, it would not say that all is well.
    fn drop(&mut self) {
        let _is_closed = self.raw.close_session();
        if let (Some(running), Ok(runtime)) = (self.running.take(), tokio::runtime::Handle::try_current()) {
            let kill = self.run.stop().clone();
            let awaited = async move {
                tokio::select! {
                    _ = kill.wait_above(StopLevel::Stop) => {}
                    _ = timeout(END_WAIT, running) => {}
                }
            };
            self.run.tasks().spawn_on(awaited, &runtime);
        }
    }
}
