//! Starting one host, from outside.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::helper::process;
use crate::memory_file::MemoryFile;
use crate::protocol::{Setup, Told, Users, hear, say};
use crate::step_error::{Failure, While};
use crate::user_mapping as users;

/// A host that is being started.
#[derive(Debug)]
pub(crate) struct Starting {
    process: Contained,
    setup: Setup,
    told: BufReader<ChildStdout>,
}

/// A host that listens.
#[derive(Debug)]
pub(crate) struct Started {
    _process: Contained,
    name: String,
    users: Users,
    port: u16,
    host_key: String,
}

/// The process that contains a host; the host ends with it.
#[derive(Debug)]
struct Contained {
    child: Child,
    /// The host lives as long as this end is held: until it is dropped, or this program ends in any way.
    lifeline: Option<ChildStdin>,
}

impl Starting {
    /// Starts the process that will contain it.
    pub(crate) fn spawn(program: &Path, setup: Setup) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .args(process::words("contain"))
            // What this program was told, tokens too, is not for the host.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .when("start its process")?;
        let lifeline = child.stdin.take();
        let told = child.stdout.take();
        let process = Contained { child, lifeline };
        let told = BufReader::new(told.ok_or("a pipe is missing").when("hear from it")?);
        Ok(Self { process, setup, told })
    }

    /// Waits until it has namespaces, and says which users are in them.
    pub(crate) fn map_users(mut self) -> Result<Self, Failure> {
        match self.hear()? {
            Told::Apart => {}
            other => return Err(unexpected(other)),
        }
        self.setup.users = users::map(self.process.child.id()).when("map its users")?;
        if let Some(lifeline) = &self.process.lifeline {
            say(lifeline, &self.setup).when("say what it is to be")?;
        }
        Ok(self)
    }

    /// Waits until it listens.
    pub(crate) fn ready(mut self) -> Result<Started, Failure> {
        match self.hear()? {
            Told::Ready { port, host_key } => {
                let (name, users) = (self.setup.name, self.setup.users);
                Ok(Started { _process: self.process, name, users, port, host_key })
            }
            other => Err(unexpected(other)),
        }
    }

    fn hear(&mut self) -> Result<Told, Failure> {
        hear(&mut self.told).when("hear from it")
    }
}

fn unexpected(told: Told) -> Failure {
    match told {
        Told::Failed { what, why } => Failure { what, why },
        Told::Apart | Told::Ready { .. } => Failure::new("start it", "it speaks out of turn"),
    }
}

impl Started {
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
            Users::Many => account,
            Users::RootOnly => "root",
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

impl Drop for Contained {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // It returns when everything inside has gone.
        let _ = self.child.wait();
    }
}
