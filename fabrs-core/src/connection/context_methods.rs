//! The context of commands: directory, environment, prefixes and sudo user, for a [`Connection`] or
//! one [`Command`].

use super::command::Command;
use super::handle::Connection;
use super::input_values::EnvValue;
use super::spec::Privilege;
use crate::config::SudoProgram;
use crate::shell::IntoShellLine;

impl Connection {
    /// Returns a connection whose commands run in `directory`.
    ///
    /// A relative path is resolved against the previous directory. A leading `~/` is the home of
    /// the remote user.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.cd("/").run("pwd").line().await?, "/");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn cd(&self, directory: impl AsRef<str>) -> Self {
        self.map_context(|context| context.cd(directory.as_ref()))
    }

    /// Returns a connection whose commands have the environment variable `name` set to `value`.
    ///
    /// A text becomes part of the command line, visible to other users of the host in the process
    /// list. A [`Secret`](crate::Secret) is sent to each command on stdin, before other input. A
    /// command on a pty cannot receive a secret variable.
    ///
    /// ```
    /// # use fabrs_core::{Client, Secret};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let shop = here.env("MODE", "live").env("TOKEN", Secret::new("hunter2"));
    /// assert_eq!(shop.run("echo $MODE ${#TOKEN}").line().await?, "live 7");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn env(&self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.map_context(|context| context.env(name.into(), value.into()))
    }

    /// Returns a connection whose commands search `folder` for programs before all other
    /// directories. A leading `~/` is the home of the remote user.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let path = here.path("/opt/tools").run("echo $PATH").line().await?;
    /// assert!(path.starts_with("/opt/tools:"));
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn path(&self, folder: impl Into<String>) -> Self {
        self.map_context(|context| context.path(folder.into()))
    }

    /// Returns a connection whose commands create files without the permissions in `mask`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert!(here.umask(0o027).run("umask").line().await?.ends_with("027"));
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn umask(&self, mask: u32) -> Self {
        self.map_context(|context| context.umask(mask))
    }

    /// Returns a connection whose composed command lines are run by `shell`: a program with its
    /// options, as in `bash -l -c`.
    ///
    /// The default is `shell` of the host or environment in `fabrs.toml`, then the login shell, as
    /// started by `sshd`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.with_shell("sh -c").run("echo $0").line().await?, "sh");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn with_shell(&self, shell: impl Into<String>) -> Self {
        self.map_context(|context| context.shell(shell.into()))
    }

    /// Returns a connection that runs `line` before each command, in the same shell. The command
    /// runs only if `line` succeeds.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.prefix("LEVEL=3").run("echo $LEVEL").line().await?, "3");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn prefix(&self, line: impl IntoShellLine) -> Self {
        self.map_context(|context| context.prefix(line.into_shell_line()))
    }

    /// Returns a connection with a virtualenv for [`v_run`](Self::v_run). A relative folder is
    /// resolved against the directory of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.venv("/srv/env").v_run("pip list").await?;
    /// assert_eq!(output.command(), ". /srv/env/bin/activate && pip list");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn venv(&self, folder: impl AsRef<str>) -> Self {
        self.map_context(|context| context.venv(folder.as_ref()))
    }

    /// Returns a connection that uses this program for commands under [`sudo`](Self::sudo). The
    /// default is the program set for the host in `fabrs.toml`, then sudo.
    ///
    /// Doas supports neither [`sudo_group`](Self::sudo_group) nor [`Command::keep_env`]. A command
    /// with one of them is an error of kind [`Usage`](crate::ErrorKind::Usage). Doas reads a
    /// password only from a terminal: a command that needs a password needs [`Command::pty`].
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings, SudoProgram}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.with_sudo(SudoProgram::Doas).sudo("id -un").await?;
    /// assert_eq!(output.command(), "doas id -un");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    #[doc(alias = "doas")]
    pub fn with_sudo(&self, program: SudoProgram) -> Self {
        self.map_context(|context| context.sudo_mut().program = program)
    }

    /// Returns a connection whose commands under sudo run as this user, by name or number. The
    /// default is root.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo_user("www-data").sudo("id -un").await?;
    /// assert_eq!(output.command(), "sudo -u www-data -H id -un");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn sudo_user(&self, user: impl Into<String>) -> Self {
        self.map_context(|context| context.sudo_mut().user = Some(user.into()))
    }

    /// Returns a connection whose commands under sudo run in a login shell: in the home of the
    /// user, with the profile of the user.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo_login().sudo("id").await?;
    /// assert_eq!(output.command(), "sudo -H sh -lc id");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn sudo_login(&self) -> Self {
        self.map_context(|context| context.sudo_mut().login = true)
    }

    /// Returns a connection whose commands under sudo run in this group, by name or number.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo_group("adm").sudo("id -gn").await?;
    /// assert_eq!(output.command(), "sudo -g adm id -gn");
    /// # Ok(()) }
    /// ```
    #[must_use = "returns a changed connection without modifying the original"]
    pub fn sudo_group(&self, group: impl Into<String>) -> Self {
        self.map_context(|context| context.sudo_mut().group = Some(group.into()))
    }
}

impl Command {
    /// Sets the user for a command under sudo, by name or number. The default is root.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo("id -un").user("www-data").await?;
    /// assert_eq!(output.command(), "sudo -u www-data -H id -un");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) without [`sudo`](Self::sudo): the command
    /// would run as the wrong user.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.map_sudo("user", |connection| connection.sudo_user(user))
    }

    /// Sets the group for a command under sudo, by name or number.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo("id -gn").group("adm").await?;
    /// assert_eq!(output.command(), "sudo -g adm id -gn");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) without [`sudo`](Self::sudo): the command
    /// would run with the wrong group.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.map_sudo("group", |connection| connection.sudo_group(group))
    }

    /// Runs a command under sudo in a login shell: in the home of the user, with the profile of the
    /// user (`sudo -i`).
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo("id").login().await?;
    /// assert_eq!(output.command(), "sudo -H sh -lc id");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) without [`sudo`](Self::sudo): the command
    /// would run as the wrong user.
    pub fn login(self) -> Self {
        self.map_sudo("login", Connection::sudo_login)
    }

    /// Keeps the environment of the login for a command under sudo (`sudo -E`), if the sudo rules
    /// allow it. Variables set by [`env`](Self::env) are always kept.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.sudo("id").keep_env().await?;
    /// assert_eq!(output.command(), "sudo -E id");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, [`Usage`](crate::ErrorKind::Usage) without [`sudo`](Self::sudo): the command
    /// has this environment already.
    pub fn keep_env(self) -> Self {
        self.map_sudo("keep_env", |connection| connection.map_context(|context| context.sudo_mut().keeps_env = true))
    }

    /// Runs the command under sudo, like [`Connection::sudo`]. `v_run("..").sudo()` also runs
    /// inside the virtualenv.
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.run("id -un").sudo().await?;
    /// assert_eq!(output.command(), "sudo id -un");
    /// # Ok(()) }
    /// ```
    pub fn sudo(self) -> Self {
        self.map_spec(|spec| spec.privilege = Privilege::Sudo)
    }

    /// Runs the command in `directory`, like [`Connection::cd`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("pwd").cd("/").line().await?, "/");
    /// # Ok(()) }
    /// ```
    pub fn cd(self, directory: impl AsRef<str>) -> Self {
        self.map_connection(|connection| connection.cd(directory))
    }

    /// Searches `folder` for programs first, like [`Connection::path`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let path = here.run("echo $PATH").path("/opt/tools").line().await?;
    /// assert!(path.starts_with("/opt/tools:"));
    /// # Ok(()) }
    /// ```
    pub fn path(self, folder: impl Into<String>) -> Self {
        self.map_connection(|connection| connection.path(folder))
    }

    /// Sets the file mode mask of the command, like [`Connection::umask`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert!(here.run("umask").umask(0o027).line().await?.ends_with("027"));
    /// # Ok(()) }
    /// ```
    pub fn umask(self, mask: u32) -> Self {
        self.map_connection(|connection| connection.umask(mask))
    }

    /// Runs `line` before the command, in the same shell, like [`Connection::prefix`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo $LEVEL").prefix("LEVEL=3").line().await?, "3");
    /// # Ok(()) }
    /// ```
    pub fn prefix(self, line: impl IntoShellLine) -> Self {
        self.map_connection(|connection| connection.prefix(line))
    }

    /// Sets the virtualenv of a `v_run`, like [`Connection::venv`].
    ///
    /// ```
    /// # use fabrs_core::{Client, config::{Mode, Settings}, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let mut settings = Settings::default();
    /// # settings.mode = Mode::DryRun;
    /// # let web = Client::builder().settings(settings).dial(Fake::new()).build().connect("web1")?;
    /// let output = web.v_run("pip list").venv("/srv/env").await?;
    /// assert_eq!(output.command(), ". /srv/env/bin/activate && pip list");
    /// # Ok(()) }
    /// ```
    pub fn venv(self, folder: impl AsRef<str>) -> Self {
        self.map_connection(|connection| connection.venv(folder))
    }

    /// Runs the composed line by `shell`, like [`Connection::with_shell`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo $0").with_shell("sh -c").line().await?, "sh");
    /// # Ok(()) }
    /// ```
    pub fn with_shell(self, shell: impl Into<String>) -> Self {
        self.map_connection(|connection| connection.with_shell(shell))
    }

    /// Sets an environment variable of the command, like [`Connection::env`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo $MODE").env("MODE", "live").line().await?, "live");
    /// # Ok(()) }
    /// ```
    pub fn env(self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.map_connection(|connection| connection.env(name, value))
    }

    fn map_sudo(self, method: &'static str, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.map_spec(|spec| {
            spec.sudo_only_method = Some(method);
            spec.connection = change(&spec.connection);
        })
    }

    fn map_connection(self, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.map_spec(|spec| spec.connection = change(&spec.connection))
    }
}
