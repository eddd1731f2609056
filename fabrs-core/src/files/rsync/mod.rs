//! [`RsyncRequest`]: runs the `rsync` program on both sides, over an existing connection.
//!
//! The local `rsync` starts a shell script in place of `ssh` ([`remote_shell`]). The script passes
//! on the remote command and the streams. The remote command runs as any command of the connection,
//! so that gateways, sudo and the login apply.

mod output_spool;
mod remote_shell;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::changes::Changes;
use super::changes::{ChangedPaths, State};
use super::deferred::{Deferred, impl_future};
use super::planning;
use crate::connection::Connection;
use crate::connection::Hide;
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::output::{ExitStatus, Output};
use crate::shell::ShellLine;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::blocking;
use crate::transfer::report::emit_transferred;
use crate::transfer::temporary;
use crate::transport::Effect;
use output_spool::OutputSpool;
use remote_shell::{PipeEnds, RemoteShell};

/// A run of `rsync`: an awaitable builder. The output is [`Changes`].
///
/// See [`Connection::rsync`].
///
/// # Cancel safety
///
/// Dropping the future ends both sides, as an interrupt of `rsync` does.
#[must_use = "nothing is transferred until the request is awaited"]
#[derive(Debug)]
pub struct RsyncRequest(Deferred<RsyncSpec, Changes>);

struct RsyncSpec {
    context: TransferContext,
    here: String,
    there: String,
    is_download: bool,
    options: Vec<String>,
}

impl fmt::Debug for RsyncSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl RsyncRequest {
    pub(in crate::files) fn new(
        connection: Connection,
        here: String,
        there: String,
        location: &'static Location<'static>,
    ) -> Self {
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(RsyncSpec { context, here, there, is_download: false, options: Vec::new() })))
    }

    /// Downloads from the host. The default is an upload.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let download = web.rsync("logs/", "/var/log/shop/").download();
    /// assert_eq!(format!("{download:?}"), "RsyncRequest(rsync /var/log/shop/ -> logs/)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn download(self) -> Self {
        Self(self.0.configure(|spec| spec.is_download = true))
    }

    /// Removes files of the target without a counterpart in the source (`--delete`).
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.rsync("site/", "/srv/site").delete();
    /// assert_eq!(format!("{upload:?}"), "RsyncRequest(rsync --delete site/ -> /srv/site)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn delete(self) -> Self {
        self.option("--delete")
    }

    /// Excludes files by a pattern of `rsync` (`--exclude`).
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.rsync("site/", "/srv/site").exclude("*.pyc");
    /// assert_eq!(format!("{upload:?}"), "RsyncRequest(rsync --exclude=*.pyc site/ -> /srv/site)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn exclude(self, pattern: impl Into<String>) -> Self {
        self.option(format!("--exclude={}", pattern.into()))
    }

    /// Adds an option of `rsync`, such as `--compress` or `--bwlimit=1000`. `--archive` is always
    /// set.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.rsync("site/", "/srv/site").option("--compress");
    /// assert_eq!(format!("{upload:?}"), "RsyncRequest(rsync --compress site/ -> /srv/site)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn option(self, option: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.options.push(option.into())))
    }

    /// Runs the remote `rsync` as root, or as the [`sudo_user`](Connection::sudo_user) of the
    /// connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.rsync("site/", "/srv/site").sudo();
    /// assert_eq!(format!("{upload:?}"), "RsyncRequest(rsync site/ -> /srv/site by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(RsyncRequest => Changes, rsync);

async fn rsync(spec: Arc<RsyncSpec>) -> Result<Changes> {
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let operation = spec.describe();
    if planning::is_planned(context) {
        // A comparison would need `rsync` on both sides. A dry run plans the whole command.
        connection.plan_change(&operation);
        let why = Error::new(ErrorKind::NotRun, "rsync was not run").on(host);
        return Ok(Changes::new(context, host.clone(), operation, State::Unknown(why)));
    }
    let changes = spec.run(&operation).await?;
    emit_transferred(connection, host, &operation, &changes.files, changes.removed.len());
    Ok(Changes::new(context, host.clone(), operation, changes))
}

impl RsyncSpec {
    fn describe(&self) -> String {
        let (from, to) = if self.is_download { (&self.there, &self.here) } else { (&self.here, &self.there) };
        let program = [&["rsync".to_owned()], self.options.as_slice()].concat().join(" ");
        let suffix = self.context.sudo_suffix();
        format!("{program} {from} -> {to}{suffix}")
    }

    async fn run(&self, operation: &str) -> Result<ChangedPaths> {
        let created = blocking(|| {
            let shell = RemoteShell::new()?;
            Ok((shell, OutputSpool::new(temporary::file()?)))
        });
        let ((remote_shell, ends), output_spool) = created.await.map_err(|error| self.context.error(error))?;
        let here = self.context.connection.to_this_machine();
        let here = here.run(self.line(&remote_shell)?).hide(Hide::Both).capture_all().warn();
        let mut here = std::pin::pin!(here.into_future());
        let has_started = AtomicBool::new(false);
        let there = async {
            let PipeEnds { command: remote_command, from_rsync, to_rsync } = ends;
            let line = remote_command.receive().await?;
            has_started.store(true, Ordering::Relaxed);
            let connection = self.context.connection.for_internal_script().without_shell();
            let command = connection.command(ShellLine::raw(line), Effect::Changes, self.context.location).posix();
            let command = command
                .named(operation)
                .hide(Hide::Both)
                .stdin_reader(from_rsync)
                .with_watcher(output_spool.clone())
                .warn();
            let command = if self.context.elevated { command.sudo() } else { command };
            let (output, ()) = tokio::join!(command.into_future(), output_spool.drain_to(to_rsync));
            output
        };
        let mut there = std::pin::pin!(there);
        let (here, there) = tokio::select! {
            here = &mut here => {
                let there = if has_started.load(Ordering::Relaxed) { Some(there.await) } else { None };
                (here, there)
            }
            there = &mut there => (here.await, Some(there)),
        };
        let there = there.transpose().map_err(|error| self.context.error(error))?;
        let here = here?;
        // An error of the remote side may be missing in the exit status of the local side.
        let is_success = |output: &Output| Ok::<_, Error>(output.status()?.success());
        if is_success(&here)? && there.as_ref().map_or(Ok(true), is_success)? {
            return Ok(self.parse_changes(&here.stdout()?));
        }
        Err(self.failed(operation, &here, there.as_ref()))
    }

    /// Returns the local command line.
    fn line(&self, remote_shell: &RemoteShell) -> Result<ShellLine> {
        let there = format!("host:{}", self.there);
        // The script in place of `ssh` fails if a pipe does not block (`EAGAIN`), hence
        // `--blocking-io`.
        let mut words = vec!["rsync", "--archive", "--blocking-io", "--8-bit-output", "--out-format=%i %n"];
        words.extend(self.options.iter().map(String::as_str));
        let shell = remote_shell.rsync_option();
        words.extend(["-e", &shell, "--"]);
        words.extend(if self.is_download { [there.as_str(), &self.here] } else { [&self.here, there.as_str()] });
        let line = shlex::try_join(words).map_err(|source| {
            self.context
                .error(Error::new(ErrorKind::Usage, format!("`{}` can't be sent", self.describe())).caused_by(source))
        })?;
        Ok(ShellLine::raw(format!("LC_ALL=C exec {line}")))
    }

    /// Parses the output of `--out-format=%i %n`.
    fn parse_changes(&self, output: &str) -> ChangedPaths {
        let root = if self.is_download { &self.here } else { &self.there };
        let below_root = |name: &str| format!("{}/{name}", root.trim_end_matches('/'));
        let mut changes = ChangedPaths::default();
        for line in output.lines() {
            match line.split_once(' ') {
                Some(("*deleting", name)) => changes.removed.push(below_root(name.trim_start())),
                // Unchanged directories and the root are not listed.
                Some((flags, name)) if is_itemized(flags) && !flags.starts_with(".d") && name != "./" => {
                    changes.files.push((below_root(name), true));
                }
                _ => {}
            }
        }
        changes
    }

    /// Creates the error of a failed run. The cause is the first line of error output of the host,
    /// or else of this machine.
    fn failed(&self, operation: &str, here: &Output, there: Option<&Output>) -> Error {
        let first_line = |output: &Output| {
            let stderr = output.record.redactor.bytes(&output.record.stderr.bytes);
            let text = String::from_utf8_lossy(&stderr).into_owned();
            text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned)
        };
        let has_no_program = |output: &Output| output.status().is_ok_and(|status| *status == NOT_FOUND);
        let error = self.context.could_not(operation);
        match there {
            Some(there) if has_no_program(there) => {
                error.caused_by(CauseText("the host has no `rsync`".to_owned())).hint("install `rsync`, or use `sync`")
            }
            _ if has_no_program(here) => error
                .caused_by(CauseText("this machine has no `rsync`".to_owned()))
                .hint("install `rsync`, or use `sync`"),
            there => {
                let reason = there.and_then(first_line).or_else(|| first_line(here));
                error.caused_by(CauseText(reason.unwrap_or_else(|| "`rsync` printed no error".to_owned())))
            }
        }
    }
}

/// Returns true if a word is an itemized change: an update type, a file type and nine attributes.
fn is_itemized(flags: &str) -> bool {
    flags.len() == 11 && flags.starts_with(['<', '>', 'c', 'h', '.'])
}

/// The exit status of a shell for a missing program.
const NOT_FOUND: ExitStatus = ExitStatus::Code(127);
