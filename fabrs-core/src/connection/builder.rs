//! Methods of [`Command`] for output, stdin, limits and retries.

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
    /// Marks the command as read-only, for `sudo("..")`, `local("..")` and `v_run("..")`.
    ///
    /// A read-only command also runs in a dry run, with stdout hidden.
    /// [`Connection::probe`](crate::Connection::probe) makes such a command directly.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let kernel = here.run("uname").probe().line().await?;
    /// assert!(!kernel.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn probe(self) -> Self {
        self.map_spec(|spec| {
            spec.effect = Effect::Reads;
            spec.hide = Hide::Stdout;
        })
    }

    /// Accepts every exit status as success. [`Output::status`](crate::Output::status) returns the
    /// status.
    ///
    /// Other failures, such as a timeout or a lost connection, stay errors.
    ///
    /// ```
    /// # use fabrs_core::{Client, ExitStatus};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let output = here.run("exit 3").warn().await?;
    /// assert_eq!(*output.status()?, ExitStatus::Code(3));
    /// # Ok(()) }
    /// ```
    #[doc(alias = "ignore_errors")]
    pub fn warn(self) -> Self {
        self.map_spec(|spec| spec.accepted = AcceptedStatus::Any)
    }

    /// Accepts only these exit codes as success. 0 must be listed explicitly to count as success.
    ///
    /// `grep`, for example, exits with 1 if no line matches.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let output = here.run("echo a | grep b").ok_codes([0, 1]).await?;
    /// assert_eq!(output.stdout()?, "");
    /// # Ok(()) }
    /// ```
    pub fn ok_codes(self, codes: impl IntoIterator<Item = u32>) -> Self {
        let codes = codes.into_iter().collect();
        self.map_spec(|spec| spec.accepted = AcceptedStatus::Codes(codes))
    }

    /// Hides the given streams. Hidden output is still captured. A probe hides stdout by default.
    ///
    /// [`Hide::Both`] hides the command line as well. It overrides [`echo`](Self::echo) and `fab
    /// -e`, in any order of the calls.
    ///
    /// ```
    /// # use fabrs_core::{Client, Hide};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let user = here.run("echo ann").hide(Hide::Both).line().await?;
    /// assert_eq!(user, "ann");
    /// # Ok(()) }
    /// ```
    pub fn hide(self, streams: Hide) -> Self {
        self.map_spec(|spec| (spec.hide, spec.is_quiet) = (streams, streams == Hide::Both))
    }

    /// Shows the command line before the command runs, unless both streams are
    /// [hidden](Self::hide).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::{Client, event::{CaptureSink, Sink}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let sink = Arc::new(CaptureSink::default());
    /// let here = Client::builder().sink(sink.clone() as Arc<dyn Sink>).build().local()?;
    /// here.run("true").echo().await?;
    /// assert_eq!(sink.of_kind("command_started")[0]["is_echoed"], true);
    /// # Ok(()) }
    /// ```
    pub fn echo(self) -> Self {
        self.map_spec(|spec| spec.echo = Some(true))
    }

    /// Allocates a pseudo-terminal for the command (`ssh -t`). A pseudo-terminal merges stderr into
    /// stdout.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert!(here.run("test -t 1").pty().ok().await?);
    /// assert!(!here.run("test -t 1").ok().await?);
    /// # Ok(()) }
    /// ```
    pub fn pty(self) -> Self {
        self.map_spec(|spec| spec.pty = Some(Pty::default()))
    }

    /// Connects this program's terminal to the command until the command ends, like `ssh -t`.
    ///
    /// Keyboard input, including Ctrl-C, goes to the command unchanged. The output of the command
    /// goes to the screen unchanged, and the command is notified of changes of the window size. The
    /// terminal is restored afterwards.
    ///
    /// ```no_run
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// here.run("vim /etc/hosts").interactive().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) if this program has no terminal.
    pub fn interactive(self) -> Self {
        self.map_spec(|spec| {
            spec.interactive = true;
            spec.pty = Some(Pty::default());
            spec.stdin = StdinPlan::Inherited;
        })
    }

    /// Kills the command after `limit`, counted from the start. Defaults to the command timeout of
    /// the [`Settings`](crate::config::Settings), or to no limit.
    ///
    /// ```
    /// # use fabrs_core::{Client, ErrorKind};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let error = here.run("sleep 60").timeout(Duration::from_millis(200)).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// # Ok(()) }
    /// ```
    pub fn timeout(self, limit: Duration) -> Self {
        self.map_spec(|spec| spec.timeout = Some(limit))
    }

    /// Retries a failed command up to `times` times. The first pause is `pause`, and each further
    /// pause is twice as long.
    ///
    /// A rejected exit status, a timeout and an unreachable host are failures. If the connection is
    /// lost during the command, only a [`probe`](Self::probe) is retried, since any other command
    /// may have changed something. The same applies to a command that may still be running after
    /// its timeout.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let fake = Fake::new().on("make", FakeAnswer::code(2));
    /// # let web = Client::builder().dial(fake.clone()).build().connect("web1")?;
    /// assert!(web.run("make").retry(2, Duration::ZERO).await.is_err());
    /// assert_eq!(fake.commands().len(), 3);
    /// # Ok(()) }
    /// ```
    pub fn retry(self, times: u32, pause: Duration) -> Self {
        self.map_spec(|spec| spec.retry = Some(RetryPolicy::Times(times, pause)))
    }

    /// Retries a failed command once a second until success, for at most `limit`. For services with
    /// a slow start.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use fabrs_core::connection::secs;
    ///
    /// assert!(here.probe("true").retry_for(secs(30)).await.is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Timeout`](crate::ErrorKind::Timeout) if the command has not succeeded within
    /// `limit`.
    #[doc(alias = "until")]
    #[doc(alias = "wait_for")]
    pub fn retry_for(self, limit: Duration) -> Self {
        self.map_spec(|spec| spec.retry = Some(RetryPolicy::Until(limit)))
    }

    /// Sets the stdin of the command: bytes or a [`Secret`](crate::Secret), followed by the end of
    /// file. By default the command reads the end of file immediately (`ssh -n`).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("tr a-z A-Z").stdin("hello\n").line().await?, "HELLO");
    /// # Ok(()) }
    /// ```
    pub fn stdin(self, bytes: impl Into<StdinBytes>) -> Self {
        self.map_spec(|spec| {
            let (bytes, secret) = bytes.into().into_parts();
            spec.stdin = StdinPlan::Bytes(bytes);
            spec.secrets.extend(secret);
        })
    }

    /// Sends a file of this machine to the stdin of the command.
    ///
    /// A read error ends the command, and is an error of kind [`Local`](crate::ErrorKind::Local).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("wc -c").stdin_file("/dev/null").line().await?.trim(), "0");
    /// # Ok(()) }
    /// ```
    pub fn stdin_file(self, path: impl Into<PathBuf>) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::File(path.into()))
    }

    /// Sends the bytes of `reader` to the stdin of the command, as fast as the command reads them.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let reader = &b"two words"[..];
    /// assert_eq!(here.run("wc -w").stdin_reader(reader).line().await?.trim(), "2");
    /// # Ok(()) }
    /// ```
    pub fn stdin_reader(self, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Reader(Mutex::new(Box::new(reader))))
    }

    /// Sends this program's stdin to the command. Only one command at a time may read the stdin.
    ///
    /// ```no_run
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// here.run("tar x").stdin_inherit().await?;
    /// # Ok(()) }
    /// ```
    pub fn stdin_inherit(self) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Inherited)
    }

    /// Keeps the stdin of the command open for its handle: call [`spawn`](Self::spawn), then
    /// [`Spawned::write`](super::Spawned::write).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let child = here.run("cat").stdin_open().spawn()?;
    /// child.write("hello\n").await?;
    /// assert_eq!(child.wait().await?.line()?, "hello");
    /// # Ok(()) }
    /// ```
    pub fn stdin_open(self) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Open)
    }

    /// Adds a watcher for the output, to answer prompts of the command: a
    /// [`Responder`](super::Responder), or a [`Watcher`] of your own. A command may have several
    /// watchers.
    ///
    /// The stdin of the command stays open and receives only the answers. The answers replace any
    /// [`stdin`](Self::stdin), and this program's stdin is not read.
    ///
    /// Many programs, such as `read -p` of bash, prompt only on a terminal. Use [`pty`](Self::pty)
    /// for them.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use fabrs_core::connection::Responder;
    ///
    /// let line = "printf 'Continue? '; read answer; echo $answer";
    /// let command = here.run(line).watch(Responder::new("Continue? ", "yes\n"));
    /// assert_eq!(command.line().await?, "Continue? yes");
    /// # Ok(()) }
    /// ```
    pub fn watch(self, watch: impl Watcher + 'static) -> Self {
        self.map_spec(|spec| {
            spec.stdin = StdinPlan::Answers;
            spec.secrets.extend(watch.secrets());
            spec.watchers.add(Box::new(watch));
        })
    }

    /// Copies stdout and stderr to a file of this machine, with secrets redacted. An existing file
    /// is replaced. Each attempt of a retried command replaces the file.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let log = std::env::temp_dir().join("fabrs-tee-example.log");
    /// here.run("echo done").tee(&log).await?;
    /// assert_eq!(std::fs::read_to_string(&log).unwrap(), "done\n");
    /// # std::fs::remove_file(&log).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn tee(self, path: impl Into<PathBuf>) -> Self {
        self.map_spec(|spec| spec.tee = Some(path.into()))
    }

    /// Leaves the command running on its host. The call returns as soon as the command has started,
    /// and neither a stop nor the end of the run ends the command.
    ///
    /// The command has no stdin. The output is lost unless the line redirects it. The exit status
    /// is unknown.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let output = here.run("sleep 1").disown().await?;
    /// assert!(output.status().is_err());
    /// # Ok(()) }
    /// ```
    pub fn disown(self) -> Self {
        self.map_spec(|spec| spec.detached = true)
    }

    /// Captures the whole output. By default only the last 1 MiB of each stream is kept.
    ///
    /// ```
    /// # use fabrs_core::{Client, Hide};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let lines = here.run("seq 200000").hide(Hide::Both).capture_all().lines().await?;
    /// assert_eq!(lines.len(), 200_000);
    /// # Ok(()) }
    /// ```
    pub fn capture_all(self) -> Self {
        self.map_spec(|spec| spec.capture_limit = usize::MAX)
    }

    /// Runs the command inside the virtualenv of the connection.
    pub(crate) fn in_venv(self) -> Self {
        self.map_spec(|spec| spec.activation = Activation::Venv)
    }

    /// Replaces the command line by a name in output, errors and plans. Use a name for lines that
    /// are hard to read.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let fake = Fake::new().on("compress the logs", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake.clone()).build().connect("web1")?;
    /// web.run("for f in *.log; do gzip \"$f\"; done").named("compress the logs").await?;
    /// assert_eq!(fake.commands(), ["web1: compress the logs"]);
    /// # Ok(()) }
    /// ```
    pub fn named(self, text: impl AsRef<str>) -> Self {
        self.map_spec(|spec| spec.display_name = Some(text.as_ref().into()))
    }

    /// Sends the bytes received by a channel to the stdin of the command.
    pub(crate) fn stdin_channel(self, input: mpsc::Receiver<Bytes>) -> Self {
        self.map_spec(|spec| spec.stdin = StdinPlan::Chunks(input))
    }

    /// Marks the command as a check made by fabrs: the comparison of a transfer, or a test of sudo.
    pub(crate) fn internal_check(self) -> Self {
        self.map_spec(|spec| spec.is_check = true)
    }

    /// Marks the command as the transfer of a secret.
    pub(crate) fn with_secret_input(self) -> Self {
        self.map_spec(|spec| spec.carries_secret = true)
    }

    /// Marks the line as a POSIX script, to be run by `/bin/sh`.
    pub(crate) fn posix(self) -> Self {
        self.map_spec(|spec| spec.language = Language::Posix)
    }

    /// Prints the shell marker first. If `probe` does not detect the marker, the host has no shell.
    pub(crate) fn with_shell_probe(self, probe: &ShellProbe) -> Self {
        self.with_watcher(probe.clone()).map_spec(|spec| spec.has_shell_probe = true)
    }

    /// Adds an output watcher that never answers.
    pub(crate) fn with_watcher(self, watch: impl Watcher + 'static) -> Self {
        self.map_spec(|spec| spec.watchers.add(Box::new(watch)))
    }

    /// Keeps only the last `bytes` bytes of stdout.
    pub(crate) fn capture_tail(self, bytes: usize) -> Self {
        self.map_spec(|spec| spec.capture_limit = bytes)
    }
}

/// Returns a duration of `n` seconds, for `.timeout(secs(30))`.
///
/// ```
/// use std::time::Duration;
/// use fabrs_core::connection::secs;
///
/// assert_eq!(secs(30), Duration::from_secs(30));
/// ```
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns a duration of `n` minutes, for `.timeout(mins(5))`.
///
/// ```
/// use fabrs_core::connection::{mins, secs};
///
/// assert_eq!(mins(5), secs(300));
/// ```
pub const fn mins(n: u64) -> Duration {
    Duration::from_mins(n)
}
