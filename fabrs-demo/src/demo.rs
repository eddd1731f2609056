//! Demo hosts as the program that starts them sees them.

use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind, Host, Result};

use crate::helper::process;
use crate::host::{RunningHost, StartingHost};
use crate::memory_file::MemoryFile;
use crate::passwd;
use crate::protocol::{HostSettings, UserMapping};
use crate::serve::keys;
use crate::step_error::StepError;

/// Who one logs in as where nobody says.
const DEFAULT_ACCOUNT: &str = "demo";

/// Hosts that live as long as this value, or as this program however it ends.
///
/// Each has a root of its own in memory, with the machine's programs read-only; processes, terminals and users of its
/// own; an SSH server on loopback with a host key of its own; and lets in one key, which was made for all of them and
/// is in no folder. Only the network is the machine's.
#[derive(Debug)]
pub struct Demo {
    hosts: Vec<RunningHost>,
    ssh_config: MemoryFile,
    _identity: MemoryFile,
    _known_hosts: MemoryFile,
}

/// Says how demo hosts are to be.
#[derive(Debug, Default)]
#[must_use = "nothing starts until `start`"]
pub struct DemoBuilder {
    names: Vec<String>,
    account: Option<String>,
    program: Option<PathBuf>,
}

impl DemoBuilder {
    /// Names the account that one logs in as, rather than `demo`. It may be `root`.
    pub fn account(mut self, name: Option<&str>) -> Self {
        self.account = name.map(str::to_owned);
        self
    }

    /// Starts another program than this one again: one whose `main` calls [`arrive`](crate::arrive).
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Starts the hosts and waits until they listen: tens of milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where this machine lets nobody contain them, or the account has no name; nothing has run
    /// then. [`ErrorKind::Internal`] where the program does not call [`arrive`](crate::arrive).
    pub fn start(self) -> Result<Demo> {
        let account = self.account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        if !passwd::is_account_name(account) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("`{account}` can't be the name of an account on `@demo`"),
            ));
        }
        let program = match self.program {
            Some(program) => program,
            // RunningHost again it would do all of its work again.
            None if !process::is_dispatched() => {
                let error = Error::new(ErrorKind::Internal, "this program would not know that it is a demo's");
                return Err(error.hint("call `fabrs_demo::arrive()` first in `main`"));
            }
            None => PathBuf::from("/proc/self/exe"),
        };
        start_hosts(&self.names, account, &program).map_err(containment_error)
    }
}

fn start_hosts(names: &[String], account: &str, program: &std::path::Path) -> Result<Demo, StepError> {
    let key = keys::generate()?;
    let client_key = key.public_key().to_openssh().map_err(|error| StepError::new("write a key", error))?;
    // All at once: each waits mostly for the kernel.
    let starting: Result<Vec<_>, _> = names
        .iter()
        .map(|name| {
            let (name, account, client_key) = (name.clone(), account.to_owned(), client_key.clone());
            StartingHost::spawn(program, HostSettings { name, account, client_key, users: UserMapping::RootOnly })
        })
        .collect();
    let mapped: Result<Vec<_>, _> = starting?.into_iter().map(StartingHost::finish_mapping).collect();
    let hosts: Result<Vec<_>, _> = mapped?.into_iter().map(StartingHost::wait_until_listening).collect();
    let hosts = hosts?;

    let memory_file = |name: &str, text: &str| {
        MemoryFile::new(name, text).map_err(|error| StepError::new("keep its keys in memory", error))
    };
    let identity = memory_file("identity", &keys::to_openssh(&key)?)?;
    let known: Vec<String> = hosts.iter().map(|host| format!("{} {}\n", host.name(), host.host_key())).collect();
    let known_hosts = memory_file("known_hosts", &known.concat())?;
    let config = hosts.iter().map(|host| host.ssh_config(account, &identity, &known_hosts)).collect::<String>();
    let ssh_config = memory_file("ssh_config", &config)?;
    Ok(Demo { hosts, ssh_config, _identity: identity, _known_hosts: known_hosts })
}

/// Says that a demo is not run uncontained.
fn containment_error(failure: StepError) -> Error {
    let user = passwd::PasswdEntry::current().map_or_else(|| "you".to_owned(), |account| account.name);
    let text = format!("`@demo` was not started: uncontained, its commands would run on this machine as {user}");
    let hint = "`unshare -Urm true` shows whether namespaces are allowed here; in most containers they are not";
    Error::new(ErrorKind::Usage, text).caused_by(failure).hint(hint)
}

impl Demo {
    /// Returns a builder of hosts with these names.
    pub fn builder<S: Into<String>>(names: impl IntoIterator<Item = S>) -> DemoBuilder {
        DemoBuilder { names: names.into_iter().map(Into::into).collect(), ..DemoBuilder::default() }
    }

    /// Returns the names of the hosts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(RunningHost::name)
    }

    /// Tells whether a host is one of these, whatever user and port were named.
    pub fn contains(&self, host: &Host) -> bool {
        self.names().any(|name| name == host.name())
    }

    /// Returns a file for `ssh -F`, by which this program and others of the same user reach the hosts by their names.
    pub fn ssh_config(&self) -> PathBuf {
        self.ssh_config.path()
    }
}
