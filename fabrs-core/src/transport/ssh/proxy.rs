//! A command of this machine that carries the connection to a host: `ProxyCommand`.

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
use crate::transport::drive::drain;
use crate::transport::ssh::proxy_stderr::{Said, Stderr};
use crate::transport::ssh::relay::{Far, Near, pipe};
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::target::{Purpose, Target};
use crate::transport::ssh::tunnel::PIECE;

/// How long a command has to end by itself, first when it has nothing more to say, then when it was told to.
const GRACE: Duration = Duration::from_secs(1);

/// A command of this machine that carries the connection to a host.
#[derive(Debug)]
pub(super) struct Proxy {
    host: Host,
    line: Arc<str>,
    shell: String,
    sink: Arc<dyn Sink>,
    /// One task for each time the command was started, which sees to its end.
    runs: TaskTracker,
    /// Tells those tasks that it is to end, whoever still holds the stream.
    over: Mutex<CancellationToken>,
}

impl Proxy {
    /// Takes the `ProxyCommand` of a host, where this program may run it.
    pub(super) fn new(command: &ProxyCommand, target: &Target, settings: &SshSettings) -> Result<Self> {
        let refused = |text: String| Error::new(ErrorKind::Config, text).on(&target.host);
        if command.uses_fdpass() {
            let error = refused(format!("`ProxyUseFdpass yes` of `ProxyCommand {command}` is not supported"));
            return Err(error.hint("without it, the command has to pass on what is said"));
        }
        if !settings.local_programs {
            let error = refused(format!("this program may not run `ProxyCommand {command}`"));
            return Err(error.hint("`ClientBuilder::local_programs` allows it"));
        }
        let line = command.expand(&target.user, target.port);
        let line = line.map_err(|source| refused("its `ProxyCommand` can't be run".to_owned()).caused_by(source))?;
        Ok(Self {
            host: target.host.clone(),
            line: line.into(),
            shell: settings.variables.shell.clone().unwrap_or_else(|| "/bin/sh".to_owned()),
            sink: Arc::clone(&settings.sink),
            runs: TaskTracker::new(),
            over: Mutex::default(),
        })
    }

    /// Returns the command, as it is given to the shell.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Starts the command. Returns the stream to the host, and the [`Ending`] of the command. `purpose` sets the buffer
    /// of the stream.
    ///
    /// # Cancel safety
    ///
    /// When the stream is dropped, the command is ended with all that it started.
    pub(super) fn start(&self, purpose: Purpose) -> Result<(Near, Ending)> {
        let mut command = Command::new(&self.shell);
        command.arg("-c").arg(format!("exec {}", self.line)).env_remove(ProcessEnv::SUDO_PASSWORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // In a group of its own, an interrupt is for this program first, which then ends what runs on the hosts.
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|source| {
            let text = format!("could not start `{}` for its ProxyCommand", self.shell);
            Error::new(ErrorKind::Connect, text).on(&self.host).caused_by(source)
        })?;
        let stderr = Stderr::new(child.stderr.take(), self.host.clone(), Arc::clone(&self.sink));
        let (near, far) = pipe(purpose);
        let (tell, ending) = oneshot::channel();
        let run = Run {
            group: ProcessGroupGuard::of(&child),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            stderr,
        };
        let over = lock(&self.over).clone();
        let line = Arc::clone(&self.line);
        self.runs.spawn(async move {
            let ended = run.carry(far, &over, move |status, said| {
                // Who made a session of the stream learns of its end by the stream.
                drop(tell.send(Ended { line, status, said }));
            });
            ended.await;
        });
        Ok((near, Ending(ending)))
    }

    /// Ends the command wherever it still runs, and waits for that. It can be started anew.
    pub(super) async fn end(&self) {
        mem::take(&mut *lock(&self.over)).cancel();
        drain(&self.runs).await;
    }
}

/// Tells how a command ended.
#[derive(Debug)]
pub(super) struct Ending(oneshot::Receiver<Ended>);

impl Ending {
    /// Waits until the command has ended, when its stream has, and returns how; `None` if it was made to.
    pub(super) async fn by_itself(self) -> Option<Ended> {
        self.0.await.ok()
    }
}

/// How a command ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("`{line}` ended with {status}{}", said.last.as_ref().map(|line| format!(": {line}")).unwrap_or_default())]
pub(super) struct Ended {
    line: Arc<str>,
    status: ExitStatus,
    said: Said,
}

impl Ended {
    /// Tells whether it found nothing wrong itself, so that it was a server that hung up: the host's, or that of a gateway
    /// to which it is `ssh`.
    pub(super) fn is_by_server(&self) -> bool {
        self.status.success() || self.said.turned_away
    }
}

/// Whose word ended a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Command,
    Session,
}

/// The command while it runs. Dropping it ends the command with all that it started, unawaited.
struct Run {
    child: Child,
    group: ProcessGroupGuard,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Stderr,
}

impl Run {
    /// Carries what is said until either side ends, tells how the command ended if it did so by itself, and ends what is
    /// left of it.
    async fn carry(mut self, far: Far, over: &CancellationToken, tell: impl FnOnce(ExitStatus, Said)) {
        let side = tokio::select! {
            side = pass_on(far, self.stdin.take(), self.stdout.take()) => side,
            () = self.stderr.listen() => Side::Session,
            () = over.cancelled() => Side::Session,
        };
        let mut status = None;
        if side == Side::Command {
            // It has closed its output, and mostly is about to end.
            tokio::select! {
                ended = self.child.wait() => status = ended.ok(),
                () = self.stderr.listen() => {}
                () = over.cancelled() => {}
                () = sleep(GRACE) => {}
            }
        } else if let Ok(Some(ended)) = self.child.try_wait() {
            status = Some(ended);
        }
        if let Some(status) = status {
            tell(status.into(), self.stderr.rest());
        } else {
            // As `ssh` does, before which the closed pipes have told most already.
            self.group.signal(Signal::HUP);
            // One that asked at the terminal was stopped: only who runs in front may.
            self.group.signal(Signal::CONT);
            tokio::select! {
                _ = self.child.wait() => {}
                () = sleep(GRACE) => {}
            }
        }
        drop(self.group);
        // It can only fail where the process was waited for already.
        drop(self.child.wait().await);
    }
}

/// Passes on what is said until either side ends. What the command says is always taken, also while the session writes
/// and does not read, or both would wait for each other.
async fn pass_on(far: Far, stdin: Option<ChildStdin>, stdout: Option<ChildStdout>) -> Side {
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Side::Session };
    let Far { from_session, mut to_session } = far;
    let (mut from_session, mut stdout) =
        (BufReader::with_capacity(PIECE, from_session), BufReader::with_capacity(PIECE, stdout));
    tokio::select! {
        said = copy_buf(&mut stdout, &mut to_session) => if said.is_ok() { Side::Command } else { Side::Session },
        heard = copy_buf(&mut from_session, &mut stdin) => if heard.is_ok() { Side::Session } else { Side::Command },
    }
}
