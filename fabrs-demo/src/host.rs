//! StartingHost one host, from outside.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::helper::process;
use crate::memory_file::MemoryFile;
use crate::protocol::{HostSettings, StartupMessage, UserMapping, receive, send};
use crate::step_error::{Context, StepError};
use crate::user_mapping::map_users;

/// A host that is being started.
#[derive(Debug)]
pub(crate) struct StartingHost {
    process: HostProcess,
    settings: HostSettings,
    messages: BufReader<ChildStdout>,
}

/// A host that listens.
#[derive(Debug)]
pub(crate) struct RunningHost {
    _process: HostProcess,
    name: String,
    users: UserMapping,
    port: u16,
    host_key: String,
}

/// The process that contains a host; the host ends with it.
#[derive(Debug)]
struct HostProcess {
    child: Child,
    /// The host lives as long as this end is held: until it is dropped, or this program ends in any way.
    lifeline: Option<ChildStdin>,
}

impl StartingHost {
    /// Starts the process that will contain it.
    pub(crate) fn spawn(program: &Path, settings: HostSettings) -> Result<Self, StepError> {
        let mut child = Command::new(program)
            .args(process::helper_args("contain"))
            // What this program was told, tokens too, is not for the host.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start its process")?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take();
        let process = HostProcess { child, lifeline };
        let messages = BufReader::new(stdout.ok_or("a pipe is missing").context("hear from it")?);
        Ok(Self { process, settings, messages })
    }

    /// Waits until it has namespaces, and says which users are in them.
    pub(crate) fn finish_mapping(mut self) -> Result<Self, StepError> {
        match self.next_message()? {
            StartupMessage::NamespacesReady => {}
            other => return Err(unexpected(other)),
        }
        self.settings.users = map_users(self.process.child.id()).context("map its users")?;
        if let Some(lifeline) = &self.process.lifeline {
            send(lifeline, &self.settings).context("say what it is to be")?;
        }
        Ok(self)
    }

    /// Waits until it listens.
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
        receive(&mut self.messages).context("hear from it")
    }
}

fn unexpected(message: StartupMessage) -> StepError {
    match message {
        StartupMessage::Failed { step, reason } => StepError { step, reason },
        StartupMessage::NamespacesReady | StartupMessage::Listening { .. } => {
            StepError::new("start it", "it speaks out of turn")
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

    /// Returns its part of an ssh config: nothing but its own keys is offered or believed.
    pub(crate) fn ssh_config(&self, account: &str, identity: &MemoryFile, known_hosts: &MemoryFile) -> String {
        let Self { name, port, .. } = self;
        let user = match self.users {
            UserMapping::Range => account,
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
        drop(self.lifeline.take());
        // It returns when everything inside has gone.
        let _ = self.child.wait();
    }
}
