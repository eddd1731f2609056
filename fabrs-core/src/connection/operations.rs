//! Methods of [`Connection`] that create commands: `run`, `sudo`, `v_run`, `probe` and `local`.

use std::panic::Location;

use super::command::Command;
use super::handle::Connection;
use super::spec::Privilege;
use crate::config::SudoProgram;
use crate::shell::{IntoShellLine, ShellLine};
use crate::transport::Effect;

impl Connection {
    /// Creates a command that may change the host. A dry run only plans the command.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let fake = Fake::new().on("systemctl restart shop", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake.clone()).build().connect("web1")?;
    /// web.run("systemctl restart shop").await?;
    /// assert_eq!(fake.commands(), ["web1: systemctl restart shop"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn run(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Creates an interactive login shell in the directory and environment of the connection.
    ///
    /// This program's terminal is connected to the shell until the shell ends, as with `ssh host`.
    ///
    /// ```no_run
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// here.cd("/srv").shell().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, as [`Command::interactive`]. The exit status of the shell is not treated as an
    /// error, since it belongs to the last command typed.
    #[track_caller]
    pub fn shell(&self) -> Command {
        let line = ShellLine::raw("exec \"${SHELL:-/bin/sh}\" -l");
        self.command(line, Effect::Changes, Location::caller()).named("a shell").interactive().warn()
    }

    /// Creates a read-only command. A dry run executes the command too. Stdout is hidden.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let fake = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
    /// # let web = Client::builder().dial(fake.clone()).build().connect("web1")?;
    /// assert_eq!(web.probe("uname -r").line().await?, "6.1.0");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Reads, Location::caller())
    }

    /// Creates a command under sudo. The user is root, unless [`Command::user`] or
    /// [`sudo_user`](Self::sudo_user) sets another.
    ///
    /// The whole line runs as this user, with the directory, environment and prefixes of the
    /// connection. A line of plain words without a context and without a pty is passed to sudo
    /// unchanged, to match a sudo rule for exactly this command.
    ///
    /// If sudo requires a password, the settings provide the password, or a prompt asks once for
    /// all hosts of the run. The password is written only after the prompt of sudo, and the dialog
    /// is not part of the output.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo("systemctl restart shop").await?;
    /// assert_eq!(output.command(), "sudo systemctl restart shop");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Sudo`](crate::ErrorKind::Sudo) if sudo does not run the command, with a
    /// [`SudoRefusal`](super::SudoRefusal) as the source.
    #[track_caller]
    pub fn sudo(&self, line: impl IntoShellLine) -> Command {
        self.run(line).sudo()
    }

    /// Creates a check of the sudo rights of the login, with the password if needed (`sudo
    /// --validate`).
    ///
    /// Use the check to detect a missing right before a deploy starts. `#[task(sudo)]` runs this
    /// check on all hosts of a run.
    ///
    /// The check succeeds if any command is allowed, so a certain command may still be rejected.
    /// Doas has no such check: fabrs runs `true` under doas on a pty, and the rules of doas must
    /// allow this command.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.validate_sudo().await?;
    /// assert_eq!(output.command(), "sudo -v");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, as [`sudo`](Self::sudo).
    #[track_caller]
    pub fn validate_sudo(&self) -> Command {
        let location = Location::caller();
        let command = self.command(ShellLine::raw(""), Effect::Changes, location);
        let command = command.internal_check().map_spec(|spec| spec.privilege = Privilege::Validation);
        // Doas reads a password only from a terminal.
        if self.context.sudo().program == SudoProgram::Doas { command.pty() } else { command }
    }

    /// Creates a command inside a virtualenv, set by [`venv`](Self::venv), or by `virtualenv` of
    /// the host or environment in `fabrs.toml`.
    ///
    /// As after `activate`, `VIRTUAL_ENV` is set, the programs of the virtualenv come first, and
    /// `PYTHONHOME` is unset. This applies to the whole line.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.venv("/srv/env").v_run("python manage.py check").await?;
    /// assert_eq!(output.command(), ". /srv/env/bin/activate && python manage.py check");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) if no virtualenv is set, and
    /// [`Exit`](crate::ErrorKind::Exit) with a hint if the virtualenv does not exist.
    #[track_caller]
    pub fn v_run(&self, line: impl IntoShellLine) -> Command {
        self.run(line).in_venv()
    }

    /// Creates an internal command of fabrs.
    pub(crate) fn command(&self, line: ShellLine, effect: Effect, location: &'static Location<'static>) -> Command {
        Command::new(self.clone(), line, effect, location)
    }

    /// Creates a command for this machine. The host of the connection does not matter.
    ///
    /// The command ignores the settings for commands of the host. A connection with a directory or
    /// a variable (`c.cd("src").local(..)`) is therefore an error of kind
    /// [`Usage`](crate::ErrorKind::Usage). Change the command instead, like `lcd` in Fabric:
    /// `local("make").cd("src")`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let user = here.local("echo ann").line().await?;
    /// assert_eq!(user, "ann");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    #[doc(alias = "lcd")]
    pub fn local(&self, line: impl IntoShellLine) -> Command {
        let command = Command::new(self.to_this_machine(), line.into_shell_line(), Effect::Changes, Location::caller());
        let context = self.context.clone();
        command.map_spec(|spec| spec.host_context = Some(Box::new(context)))
    }
}
