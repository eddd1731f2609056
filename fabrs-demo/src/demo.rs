//! Demo hosts: the builder and the handle for the program that starts them.

use std::path::PathBuf;

use fabrs_core::{Error, ErrorKind, Host, Result};

use crate::helper::process;
use crate::host::{RunningHost, StartingHost};
use crate::memory_file::MemoryFile;
use crate::passwd;
use crate::protocol::{HostSettings, UserMapping};
use crate::serve::keys;
use crate::step_error::StepError;

/// The default login account.
const DEFAULT_ACCOUNT: &str = "demo";

/// Running demo hosts. They end when this value is dropped, or when the program ends.
///
/// Each host has:
///
/// - a root file system in memory, with read-only access to the programs of this machine
/// - its own processes, terminals and users
/// - an SSH server on loopback with its own host key
///
/// All hosts accept the same client key. The key is generated at the start and kept in memory. The
/// hosts share the network of this machine.
#[derive(Debug)]
pub struct Demo {
    hosts: Vec<RunningHost>,
    ssh_config: MemoryFile,
    _identity: MemoryFile,
    _known_hosts: MemoryFile,
}

/// The settings of demo hosts. Created by [`Demo::builder`].
#[derive(Debug, Default)]
#[must_use = "nothing starts until `start`"]
pub struct DemoBuilder {
    names: Vec<String>,
    account: Option<String>,
    program: Option<PathBuf>,
}

impl DemoBuilder {
    /// Sets the login account. `root` is allowed. Defaults to `demo`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fabrs_core::ErrorKind;
    /// use fabrs_demo::Demo;
    ///
    /// let error = Demo::builder(["demo"]).account(Some("not a name")).start().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    pub fn account(mut self, name: Option<&str>) -> Self {
        self.account = name.map(str::to_owned);
        self
    }

    /// Sets the program that runs the helper processes. Its `main` must call
    /// [`run_helper`](crate::run_helper). Defaults to the running program.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fabrs_demo::Demo;
    ///
    /// let demo = Demo::builder(["demo"]).program("/usr/local/bin/fabrs-demo").start()?;
    /// assert!(demo.ssh_config().exists());
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Starts the hosts and waits until all of them listen. A start takes tens of milliseconds.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if this machine does not allow the namespaces, or the account name is
    ///   invalid. No command has run in these cases.
    /// - [`ErrorKind::Internal`] if the program does not call [`run_helper`](crate::run_helper).
    pub fn start(self) -> Result<Demo> {
        let account = self.account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        if !passwd::is_account_name(account) {
            return Err(Error::new(ErrorKind::Usage, format!("`{account}` is not a valid account name for `@demo`")));
        }
        let program = match self.program {
            Some(program) => program,
            // If the program never calls `run_helper`, a new process would repeat all work of this
            // program.
            None if !process::is_dispatched() => {
                let error = Error::new(ErrorKind::Internal, "this program cannot run the helper processes of a demo");
                return Err(error.hint("call `fabrs_demo::run_helper()` first in `main`"));
            }
            None => PathBuf::from("/proc/self/exe"),
        };
        start_hosts(&self.names, account, &program).map_err(containment_error)
    }
}

fn start_hosts(names: &[String], account: &str, program: &std::path::Path) -> Result<Demo, StepError> {
    let key = keys::generate()?;
    let client_key =
        key.public_key().to_openssh().map_err(|error| StepError::new("serialize the client key", error))?;
    // All hosts start in parallel, because a start mostly waits for the kernel.
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
        MemoryFile::new(name, text).map_err(|error| StepError::new("write the keys to memory", error))
    };
    let identity = memory_file("identity", &keys::to_openssh(&key)?)?;
    let known: Vec<String> = hosts.iter().map(|host| format!("{} {}\n", host.name(), host.host_key())).collect();
    let known_hosts = memory_file("known_hosts", &known.concat())?;
    let config = hosts.iter().map(|host| host.ssh_config(account, &identity, &known_hosts)).collect::<String>();
    let ssh_config = memory_file("ssh_config", &config)?;
    Ok(Demo { hosts, ssh_config, _identity: identity, _known_hosts: known_hosts })
}

/// Reports a failed start. A demo never runs without containment.
fn containment_error(failure: StepError) -> Error {
    let user = passwd::PasswdEntry::current().map_or_else(|| "you".to_owned(), |account| account.name);
    let text =
        format!("`@demo` was not started: without containment, its commands would run on this machine as {user}");
    let hint = "run `unshare -Urm true` to test if namespaces are allowed; most containers forbid them";
    Error::new(ErrorKind::Usage, text).caused_by(failure).hint(hint)
}

impl Demo {
    /// Returns a builder for hosts with the given names.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fabrs_demo::Demo;
    ///
    /// let demo = Demo::builder(["web1", "web2"]).start()?;
    /// assert_eq!(demo.names().collect::<Vec<_>>(), ["web1", "web2"]);
    /// assert!(demo.contains(&"deploy@web1".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder<S: Into<String>>(names: impl IntoIterator<Item = S>) -> DemoBuilder {
        DemoBuilder { names: names.into_iter().map(Into::into).collect(), ..DemoBuilder::default() }
    }

    /// Returns the names of the hosts, in the order of the builder.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(RunningHost::name)
    }

    /// Returns `true` if `host` has the name of a demo host. User and port are ignored.
    pub fn contains(&self, host: &Host) -> bool {
        self.names().any(|name| name == host.name())
    }

    /// Returns the path of an `ssh_config` for `ssh -F` that lists the hosts under their names.
    ///
    /// Only processes of the same user can read the file. The file lives as long as this value.
    pub fn ssh_config(&self) -> PathBuf {
        self.ssh_config.path()
    }
}
