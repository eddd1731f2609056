//! `ProxyCommand`: a local command as the connection to a host.

use std::mem;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fabrs_openssh::config::ProxyCommand;
use rustix::process::Signal;
use tokio::io::{BufReader, copy_buf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ProcessEnv, ProcessGroupGuard};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Sink;
use crate::host::Host;
use crate::mutex::lock;
use crate::output::ExitStatus;
use crate::ssh::proxy_stderr::{ProxyStderr, StderrSummary};
use crate::ssh::relay::{RelaySide, SessionSide, relay_stream};
use crate::ssh::settings::SshSettings;
use crate::ssh::target::{Purpose, Target};
use crate::ssh::tunnel::CHUNK_SIZE;
use crate::transport::wait_and_reopen;

/// The time for a command to exit, first after its stdout has closed, then after HUP.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// The `ProxyCommand` of a host.
#[derive(Debug)]
pub(super) struct ProxyProgram {
    host: Host,
    line: Arc<str>,
    shell: String,
    sink: Arc<dyn Sink>,
    /// One task for each started process, until its end.
    processes: TaskTracker,
    /// Cancels these tasks, even while a session still holds the stream.
    cancel: Mutex<CancellationToken>,
}

impl ProxyProgram {
    /// Creates the proxy. Fails if this program may not run local commands, or if the command needs
    /// `ProxyUseFdpass`.
    pub(super) fn new(command: &ProxyCommand, target: &Target, settings: &SshSettings) -> Result<Self> {
        let refused = |text: String| Error::new(ErrorKind::Config, text).on(&target.host);
        if command.uses_fdpass() {
            let error = refused(format!("`ProxyUseFdpass yes` of `ProxyCommand {command}` is not supported"));
            return Err(error.hint("remove `ProxyUseFdpass`: the command must relay the connection itself"));
        }
        if !settings.local_programs {
            let error = refused(format!("this program may not run `ProxyCommand {command}`"));
            return Err(error.hint("call `ClientBuilder::allow_local_programs`"));
        }
        let line = command.expand(&target.user, target.port);
        let line = line.map_err(|source| refused("its `ProxyCommand` can't be run".to_owned()).caused_by(source))?;
        Ok(Self {
            host: target.host.clone(),
            line: line.into(),
            shell: settings.variables.shell.clone().unwrap_or_else(|| "/bin/sh".to_owned()),
            sink: Arc::clone(&settings.sink),
            processes: TaskTracker::new(),
            cancel: Mutex::default(),
        })
    }

    /// Returns the command line for the shell.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Starts the command. Returns the stream to the host and a receiver of the exit status.
    /// `purpose` selects the buffer size of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream ends the command and its child processes.
    pub(super) fn start(&self, purpose: Purpose) -> Result<(SessionSide, ProxyExitReceiver)> {
        let mut command = Command::new(&self.shell);
        command.arg("-c").arg(format!("exec {}", self.line)).env_remove(ProcessEnv::SUDO_PASSWORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // In its own group, so Ctrl-C reaches only this program, which then stops the commands
        // on the hosts.
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|source| {
            let text = format!("could not start `{}` for its ProxyCommand", self.shell);
            Error::new(ErrorKind::Connect, text).on(&self.host).caused_by(source)
        })?;
        let stderr = ProxyStderr::new(child.stderr.take(), self.host.clone(), Arc::clone(&self.sink));
        let (session_side, relay_side) = relay_stream(purpose);
        let (report, proxy_exit) = oneshot::channel();
        let process = ProxyProcess {
            group: ProcessGroupGuard::of(&child),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            stderr,
        };
        let cancel = lock(&self.cancel).clone();
        let line = Arc::clone(&self.line);
        self.processes.spawn(async move {
            let ended = process.relay(relay_side, &cancel, move |status, summary| {
                // If the session has dropped the receiver, the end of the stream reports the exit.
                drop(report.send(ProxyExited { line, status, summary }));
            });
            ended.await;
        });
        Ok((session_side, ProxyExitReceiver(proxy_exit)))
    }

    /// Ends all running processes of the command, and waits for them. The command can be started
    /// again.
    pub(super) async fn close(&self) {
        mem::take(&mut *lock(&self.cancel)).cancel();
        wait_and_reopen(&self.processes).await;
    }
}

/// Receives the exit status of a command.
#[derive(Debug)]
pub(super) struct ProxyExitReceiver(oneshot::Receiver<ProxyExited>);

impl ProxyExitReceiver {
    /// Waits for the exit of the command after the end of its stream. Returns `None` if fabrs ended
    /// the command.
    pub(super) async fn own_exit(self) -> Option<ProxyExited> {
        self.0.await.ok()
    }
}

/// An error: the command exited before the session ended.
#[derive(Debug, thiserror::Error)]
#[error("`{line}` ended with {status}{}", summary.last.as_ref().map(|line| format!(": {line}")).unwrap_or_default())]
pub(super) struct ProxyExited {
    line: Arc<str>,
    status: ExitStatus,
    summary: StderrSummary,
}

impl ProxyExited {
    /// Returns true if a server closed the connection while the command itself reported no error.
    /// The server is the host or, if the command is `ssh`, one of its gateways.
    pub(super) fn is_server_hangup(&self) -> bool {
        self.status.success() || self.summary.is_server_hangup
    }
}

/// The closing side of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClosedBy {
    Command,
    Session,
}

/// A running process of the command. Dropping it kills the process and its children without
/// waiting.
struct ProxyProcess {
    child: Child,
    group: ProcessGroupGuard,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: ProxyStderr,
}

impl ProxyProcess {
    /// Copies bytes until either side closes. Reports the exit status if the command exited by
    /// itself. Then ends the remaining processes.
    async fn relay(
        mut self,
        relay_side: RelaySide,
        cancel: &CancellationToken,
        report: impl FnOnce(ExitStatus, StderrSummary),
    ) {
        let closed_by = tokio::select! {
            closed_by = copy_both_directions(relay_side, self.stdin.take(), self.stdout.take()) => closed_by,
            () = self.stderr.forward() => ClosedBy::Session,
            () = cancel.cancelled() => ClosedBy::Session,
        };
        let mut status = None;
        if closed_by == ClosedBy::Command {
            // The command has closed its stdout and usually exits soon.
            tokio::select! {
                ended = self.child.wait() => status = ended.ok(),
                () = self.stderr.forward() => {}
                () = cancel.cancelled() => {}
                () = sleep(EXIT_GRACE) => {}
            }
        } else if let Ok(Some(ended)) = self.child.try_wait() {
            status = Some(ended);
        }
        if let Some(status) = status {
            report(status.into(), self.stderr.finish());
        } else {
            // `ssh` sends HUP too. Most commands exit earlier because of their closed pipes.
            self.group.signal(Signal::HUP);
            // A background command that reads from the terminal is stopped by the kernel. After
            // CONT it can handle the HUP.
            self.group.signal(Signal::CONT);
            tokio::select! {
                _ = self.child.wait() => {}
                () = sleep(EXIT_GRACE) => {}
            }
        }
        drop(self.group);
        // Fails only if the process was already waited for.
        drop(self.child.wait().await);
    }
}

/// Copies bytes until either side closes. The output of the command is always read, even while the
/// session writes without reading. Otherwise both would wait for each other.
async fn copy_both_directions(
    relay_side: RelaySide,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
) -> ClosedBy {
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return ClosedBy::Session };
    let RelaySide { from_session, mut to_session } = relay_side;
    let (mut from_session, mut stdout) =
        (BufReader::with_capacity(CHUNK_SIZE, from_session), BufReader::with_capacity(CHUNK_SIZE, stdout));
    tokio::select! {
        copied = copy_buf(&mut stdout, &mut to_session) => if copied.is_ok() { ClosedBy::Command } else { ClosedBy::Session },
        copied = copy_buf(&mut from_session, &mut stdin) => if copied.is_ok() { ClosedBy::Session } else { ClosedBy::Command },
    }
}
