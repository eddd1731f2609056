//! How a command is to run: the settings of [`Command`], and the methods that change them.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::command::Command;
use super::context::{Activation, Language};
use super::hide::Hide;
use super::input_values::StdinBytes;
use super::retry_policy::RetryPolicy;
use super::shell_probe::ShellProbe;
use super::spec::AcceptedStatus;
use super::stdin_plan::StdinPlan;
use super::watch::Watcher;
use crate::transport::{Effect, Pty};

impl Command {
    /// Says that the command only looks: it is executed in a dry run too, and its stdout is not shown, as of one that
    /// [`Connection::probe`](crate::Connection::probe) made. For `sudo("..")`, `local("..")` and `v_run("..")`.
    pub fn probe(self) -> Self {
        self.map_spec(|spec| {
            spec.effect = Effect::Reads;
            spec.hide = Hide::Stdout;
        })
    }

    /// Takes any status as success; [`Output::status`](crate::Output::status) tells which it was.
    ///
    /// Timeouts, a lost connection and the like stay errors.
    pub fn warn(self) -> Self {
        self.map_spec(|spec| spec.accepted = AcceptedStatus::Any)
    }

    /// Takes these statuses as success, and no others: `grep` has 1 for "nothing found". 0 is one only where it is named.
    pub fn ok_codes(self, codes: impl IntoIterator<Item = u32>) -> Self {
        let codes = codes.into_iter().collect();
        self.map_spec(|spec| spec.accepted = AcceptedStatus::Codes(codes))
    }

    /// Hides the given streams; they are captured all the same. A probe hides its stdout by default.
    ///
    /// [`Hide::Both`] hides the command line as well: it overrides [`echo`](Self::echo) and `fab -e`, in any order of the calls.
    ///
    /// ```
    /// # use fabrs_core::{Client, Hide, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let web = Client::builder().dial(Fake::new().on("id -un", FakeAnswer::stdout("ann"))).build().connect("web1")?;
    /// let user = web.run("id -un").hide(Hide::Both).line().await?;
    /// # Ok(()) }
    /// ```
    pub fn hide(self, streams: Hide) -> Self {
        self.map_spec(|spec| (spec.hide, spec.is_quiet) = (streams, streams == Hide::Both))
    }

    /// Shows the command line before it runs, unless both streams are [hidden](Self::hide).
    pub fn echo(self) -> Self {
        self.map_spec(|spec| spec.echo = Some(true))
    }

    /// Gives the command a pseudo-terminal (`ssh -t`), which merges its stderr into stdout.
    pub fn pty(self) -> Self {
        self.map_spec(|spec| spec.pty = Some(Pty::default()))
    }

    /// Hands this program's terminal over to the command, as `ssh -t` does: what is typed goes to it as it is, Ctrl-C too,
    /// what it writes stands on the screen as it comes, and it learns of the window's size. Afterwards the terminal is as it
    /// was.
    ///
    /// An error of kind [`Usage`](crate::ErrorKind::Usage) where this program has no terminal.
    pub fn interactive(self) -> Self {
        self.map_spec(|spec| {
            spec.interactive = true;
            spec.pty = Some(Pty::default());
            spec.stdin = StdinPlan::Inherited;
        })
    }

    /// Ends the command when it has run for `limit`, counted from its start. Without end by default.
    pub fn timeout(self, limit: Duration) -> Self {
        self.map_spec(|spec| spec.timeout = Some(limit))
    }

    /// Runs the command again while it fails, at most `times` times more: after `pause` at first, and then after twice the last
    /// pause each time. What has failed is a status that is no success, a time that was over, a host that could not be reached;
    /// where the connection was lost on the way, only a [`probe`](Self::probe) is run again, since all else may have happened.
    pub fn retry(self, times: u32, pause: Duration) -> Self {
        self.map_spec(|spec| spec.retry = Some(RetryPolicy::Times(times, pause)))
    }

    /// Runs the command again, a second after each failure, until it succeeds: for what takes its time to come up. An error of
    /// kind [`Timeout`](crate::ErrorKind::Timeout) where it has not within `limit`.
    pub fn retry_for(self, limit: Duration) -> Self {
        self.map_spec(|spec| spec.retry = Some(RetryPolicy::Until(limit)))
    }

    /// Gives the command `bytes` to read, or a [`Secret`](crate::Secret), then the end of file. By default it sees the end of file at once
    /// (`ssh -n`).
    pub fn stdin(self, bytes: impl Into<StdinBytes>) -> Self {
        self.map_spec(|spec| {
            let (bytes, secret) = bytes.into().into_parts();
            spec.stdin = StdinPlan::Bytes(bytes);
            spec.secrets.extend(secret);
        })
    }

    /// Gives the command a file of this machine to read. One that can't be read to its end ends the command, and is an error
    /// of kind [`Local`](crate::ErrorKind::Local).
    pub fn stdin_file(self, path: impl Into<PathBuf>) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::File(path.into()))
    }

    /// Gives the command what `reader` yields, as fast as it reads it.
    pub fn stdin_reader(self, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Reader(Mutex::new(Box::new(reader))))
    }

    /// Gives the command this program's own standard input, which no other command touches.
    pub fn stdin_inherit(self) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Inherited)
    }

    /// Keeps the command's input open, for its handle to write to: [`spawn`](Self::spawn), then
    /// [`Spawned::write`](super::Spawned::write).
    pub fn stdin_open(self) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Open)
    }

    /// Lets `watch` answer what the command asks on its output: a [`Responder`](super::Responder), or one of your own.
    /// May be said several times. Many programs, `read -p` of bash among them, only ask where there is a terminal: give
    /// them one with [`pty`](Self::pty).
    ///
    /// The command's input then stays open and is what the watchers write; our own standard input is not touched. It takes
    /// the place of [`stdin`](Self::stdin).
    pub fn watch(self, watch: impl Watcher + 'static) -> Self {
        self.map_spec(|spec| {
            spec.stdin = StdinPlan::Answers;
            spec.secrets.extend(watch.secrets());
            spec.watchers.add(Box::new(watch));
        })
    }

    /// Writes what the command prints, stdout and stderr as they come, to a file of this machine too; secrets are left out. One
    /// that is there is written anew, by each attempt of several.
    pub fn tee(self, path: impl Into<PathBuf>) -> Self {
        self.map_spec(|spec| spec.tee = Some(path.into()))
    }

    /// Leaves the command running on its host, by itself: it returns as soon as the command has begun, and from then on nothing
    /// of this run ends it. It reads nothing, and what it prints is lost unless the line says where it goes.
    pub fn disown(self) -> Self {
        self.map_spec(|spec| spec.detached = true)
    }

    /// Keeps all that is printed in memory, rather than the last 1 MiB of each stream.
    pub fn capture_all(self) -> Self {
        self.map_spec(|spec| spec.capture_limit = usize::MAX)
    }

    /// Runs the command inside the connection's virtualenv.
    pub(crate) fn in_venv(self) -> Self {
        self.map_spec(|spec| spec.activation = Activation::Venv)
    }

    /// Shows this text instead of the line, in output, errors and plans: for a line that says little to a person.
    ///
    /// ```
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// current().run("for f in *.log; do gzip \"$f\"; done").named("compress the logs").await?;
    /// # Ok(()) }
    /// ```
    pub fn named(self, text: impl AsRef<str>) -> Self {
        self.map_spec(|spec| spec.display_name = Some(text.as_ref().into()))
    }

    /// Gives the command what comes here as its input.
    pub(crate) fn stdin_channel(self, input: mpsc::Receiver<Bytes>) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Chunks(input))
    }

    /// Marks the command as a check of fabrs itself: the comparison of a transfer, or a try of sudo.
    pub(crate) fn internal_check(self) -> Self {
        self.map_spec(|spec| spec.is_check = true)
    }

    /// Marks the command of a transfer that sends a secret.
    pub(crate) fn with_secret_input(self) -> Self {
        self.map_spec(|spec| spec.carries_secret = true)
    }

    /// Marks the line as a POSIX script, which `/bin/sh` runs.
    pub(crate) fn posix(self) -> Self {
        self.map_spec(|spec| spec.language = Language::Posix)
    }

    /// Prints a greeting first. If `greeting` does not hear it, the host has no shell.
    pub(crate) fn with_shell_probe(self, greeting: &ShellProbe) -> Self {
        self.with_watcher(greeting.clone()).map_spec(|spec| spec.has_shell_probe = true)
    }

    /// Lets `watch` hear the output, without an answer.
    pub(crate) fn with_watcher(self, watch: impl Watcher + 'static) -> Self {
        self.map_spec(|spec| spec.watchers.add(Box::new(watch)))
    }

    /// Keeps this many bytes of the end of stdout in memory.
    pub(crate) fn capture_tail(self, bytes: usize) -> Self {
        self.map_spec(|spec| spec.capture_limit = bytes)
    }
}

/// Returns a duration of `n` seconds, for `.timeout(secs(30))`.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
