//! Commands of a session: a command line, a login shell, or the subsystem `sftp`.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;

use rustix::process::Pid;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::context::SessionContext;
use super::pty::ServerPty;
use crate::helper::login::Login;
use crate::helper::process;
use crate::passwd::ACCOUNT_UID;
use crate::protocol::UserMapping;
use crate::root::paths::{BIN, PROGRAM};

/// The requests of a session up to the start of the command.
#[derive(Debug, Default)]
pub(super) struct SessionRequest {
    /// The command line for the user's shell. `None` starts a login shell.
    pub(super) line: Option<Vec<u8>>,
    pub(super) sftp: bool,
    variables: Vec<(String, String)>,
    pty: Option<ServerPty>,
}

/// A running command. Its process leads a session and a process group.
pub(super) enum CommandProcess {
    /// Each stream is a pipe.
    Piped { child: Child, group: Pid, stdin: ChildStdin, stdout: ChildStdout, stderr: ChildStderr },
    /// A pseudo-terminal carries all streams.
    OnTerminal { child: Child, group: Pid, pty: ServerPty },
}

impl SessionRequest {
    /// Opens a pseudo-terminal of the given type and size.
    pub(super) fn request_pty(&mut self, term: &str, columns: u32, rows: u32) -> io::Result<()> {
        let pty = ServerPty::open()?;
        pty.resize(columns, rows)?;
        self.pty = Some(pty);
        self.variables.push(("TERM".to_owned(), term.to_owned()));
        Ok(())
    }

    /// Sets an environment variable. Returns `false` for a name not accepted by the `AcceptEnv` of
    /// Debian's sshd.
    pub(super) fn set_variable(&mut self, name: String, value: String) -> bool {
        let is_accepted = name == "LANG" || name.starts_with("LC_");
        if is_accepted {
            self.variables.push((name, value));
        }
        is_accepted
    }

    /// Starts the command.
    pub(super) fn start(&mut self, context: &SessionContext) -> io::Result<CommandProcess> {
        let account = &context.account;
        let pty = self.pty.take();
        let login = Login {
            uid: account.uid,
            gid: account.gid,
            groups: account.groups(),
            home: account.home.clone(),
            has_pty: pty.is_some(),
            may_sudo: may_sudo(context.user_mapping, account.uid),
        };
        let mut command = Command::from(process::helper_command(PROGRAM, "login", &login)?);
        command.args(self.command_line(context)).env_clear().envs(environment(context));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        match pty {
            None => spawn_piped(command),
            Some(pty) => spawn_on_terminal(command, pty, context),
        }
    }

    /// Returns the program, its `argv[0]`, and its arguments.
    fn command_line(&self, context: &SessionContext) -> Vec<OsString> {
        let shell = &context.account.shell;
        let name = shell.rsplit('/').next().unwrap_or_default();
        match &self.line {
            _ if self.sftp => {
                [PROGRAM, "sftp-server"].into_iter().chain(process::helper_args("sftp")).map(Into::into).collect()
            }
            Some(line) => vec![shell.into(), name.into(), "-c".into(), OsString::from_vec(line.clone())],
            None => vec![shell.into(), format!("-{name}").into()],
        }
    }
}

/// Returns the default environment of commands.
fn environment(context: &SessionContext) -> Vec<(&'static str, String)> {
    let account = &context.account;
    let path = match account.uid {
        0 => "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        _ => "/usr/local/bin:/usr/bin:/bin:/usr/games",
    };
    let ends: Vec<&str> = context.ssh_connection.split(' ').collect();
    vec![
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("HOME", account.home.clone()),
        ("SHELL", account.shell.clone()),
        ("PATH", format!("{BIN}:{path}")),
        ("LANG", "C.UTF-8".to_owned()),
        ("SSH_CONNECTION", context.ssh_connection.clone()),
        ("SSH_CLIENT", [ends[0], ends[1], ends[3]].join(" ")),
    ]
}

fn spawn_piped(mut command: Command) -> io::Result<CommandProcess> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr), Some(group)) = (streams.0, streams.1, streams.2, pid(&child)) else {
        return Err(io::Error::other("a stream is missing"));
    };
    Ok(CommandProcess::Piped { child, group, stdin, stdout, stderr })
}

fn spawn_on_terminal(mut command: Command, pty: ServerPty, context: &SessionContext) -> io::Result<CommandProcess> {
    let terminal = pty.open_terminal(context.account.uid)?;
    let child = command
        .env("SSH_TTY", pty.name())
        .stdin(terminal.try_clone()?)
        .stdout(terminal.try_clone()?)
        .stderr(terminal)
        .spawn()?;
    let group = pid(&child).ok_or_else(|| io::Error::other("the process has no ID"))?;
    Ok(CommandProcess::OnTerminal { child, group, pty })
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// Returns `true` if `uid` is the login account and the host has a user besides root.
fn may_sudo(user_mapping: UserMapping, uid: u32) -> bool {
    user_mapping == UserMapping::AllUsers && uid == ACCOUNT_UID
}
