//! One demo host, as a process of the program.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::helper::process;
use crate::memory_file::MemoryFile;
use crate::protocol::{HostSettings, StartupMessage, UserMapping, receive, send};
use crate::step_error::{StepContext, StepError};
use crate::user_mapping::map_users;

/// A host during its start.
#[derive(Debug)]
pub(crate) struct StartingHost {
    process: HostProcess,
    settings: HostSettings,
    messages: BufReader<ChildStdout>,
}

/// A host with a listening SSH server.
#[derive(Debug)]
pub(crate) struct RunningHost {
    _process: HostProcess,
    name: String,
    users: UserMapping,
    port: u16,
    host_key: String,
}

/// The helper process `contain`. The host ends together with this process.
#[derive(Debug)]
struct HostProcess {
    child: Child,
    /// The write end of the stdin pipe. The host ends when the pipe is closed, explicitly or at the
    /// end of the program.
    stdin: Option<ChildStdin>,
}

impl StartingHost {
    /// Starts the helper process.
    pub(crate) fn spawn(program: &Path, settings: HostSettings) -> Result<Self, StepError> {
        let mut child = Command::new(program)
            .args(process::helper_args("contain"))
            // The environment of the program may hold tokens, so the host has an empty environment.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start the helper process")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let process = HostProcess { child, stdin };
        let messages = BufReader::new(stdout.ok_or("a pipe is missing").context("read from the host")?);
        Ok(Self { process, settings, messages })
    }

    /// Waits for the namespaces, maps the users and sends the settings.
    pub(crate) fn finish_mapping(mut self) -> Result<Self, StepError> {
        match self.next_message()? {
            StartupMessage::NamespacesReady => {}
            other => return Err(unexpected(other)),
        }
        self.settings.users = map_users(self.process.child.id()).context("map the users")?;
        if let Some(stdin) = &self.process.stdin {
            send(stdin, &self.settings).context("send the host settings")?;
        }
        Ok(self)
    }

    /// Waits until the SSH server listens.
    pub(crate) fn wait_until_listening(mut self) -> Result<RunningHost, StepError> {
        match self.next_message()? {
            StartupMessage::Listening { port, host_key } => {
                let (name, users) = (self.settings.name, self.settings.users);
                Ok(RunningHost { _process: self.process, name, users, port, host_key })
            }
            other => Err(unexpected(other)),
        }
    }

    fn next_message(&mut self) -> Result<StartupMessage, StepError> {
        receive(&mut self.messages).context("read from the host")
    }
}

fn unexpected(message: StartupMessage) -> StepError {
    match message {
        StartupMessage::Failed { step, reason } => StepError { step, reason },
        StartupMessage::NamespacesReady | StartupMessage::Listening { .. } => {
            StepError::new("start the host", "unexpected message from the helper process")
        }
    }
}

impl RunningHost {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn host_key(&self) -> &str {
        &self.host_key
    }

    /// Returns the host's block for an `ssh_config`. The block allows only the keys of the demo.
    pub(crate) fn ssh_config(&self, account: &str, identity: &MemoryFile, known_hosts: &MemoryFile) -> String {
        let Self { name, port, .. } = self;
        let user = match self.users {
            UserMapping::AllUsers => account,
            UserMapping::RootOnly => "root",
        };
        let (identity, known_hosts) = (identity.path(), known_hosts.path());
        let (identity, known_hosts) = (identity.display(), known_hosts.display());
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  HostKeyAlias {name}\n  \
             IdentityFile {identity}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known_hosts}\n  \
             GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  PasswordAuthentication no\n  \
             KbdInteractiveAuthentication no\n"
        )
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // `contain` ends after all processes of the host.
        let _ = self.child.wait();
    }
}
