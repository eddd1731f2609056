//! The input of a lookup: a host, and data about the local user.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A function that returns the value of a variable in `${NAME}`.
pub(super) type LookUpVariable<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A function that runs a command of `Match exec`. Returns true on success.
pub(super) type RunCommand<'a> = dyn Fn(&str) -> io::Result<bool> + 'a;

/// The input of [`SshConfig::resolve`](super::SshConfig::resolve): a host and the local user.
#[derive(Clone)]
pub struct Query<'a> {
    pub(super) host: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) local_user: String,
    pub(super) home: PathBuf,
    pub(super) local_hostname: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) env: &'a LookUpVariable<'a>,
    pub(super) exec: Option<&'a RunCommand<'a>>,
}

impl<'a> Query<'a> {
    /// Creates a query for `host`, as typed, without user and port. The environment is empty.
    pub fn new(host: impl Into<String>, local_user: impl Into<String>, home: impl AsRef<Path>) -> Self {
        Self {
            host: host.into(),
            user: None,
            port: None,
            local_user: local_user.into(),
            home: home.as_ref().to_owned(),
            local_hostname: None,
            uid: None,
            env: &|_| None,
            exec: None,
        }
    }

    /// Sets the user typed with the host (`ssh -l`). Overrides every `User` line.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("User deploy\n", "config")?;
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice").user("root"))?;
    /// assert_eq!(web1.user.as_deref(), Some("root"));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the port typed with the host (`ssh -p`). Overrides every `Port` line.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("Port 22\n", "config")?;
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice").port(2222))?;
    /// assert_eq!(web1.port, Some(2222));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets the function that returns the value of a variable in `${NAME}`. By default, no variable
    /// is set.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("IdentityFile ${KEYS}/id\n", "config")?;
    /// let env = |name: &str| (name == "KEYS").then(|| "/keys".to_owned());
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice").env(&env))?;
    /// assert_eq!(web1.identity_files, Some(vec!["/keys/id".into()]));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn env(mut self, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        self.env = env;
        self
    }

    /// Sets the function that runs the command of `Match exec`.
    ///
    /// The function receives the command with its tokens expanded, and returns true if the command
    /// succeeded. `ssh` runs the command as `$SHELL -c "exec COMMAND"`, without input and output.
    /// By default, `Match exec` never matches, and
    /// [`SshConfig::resolve`](super::SshConfig::resolve) adds a warning.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("Match exec \"on-vpn %h\"\n  Port 2222\n", "config")?;
    /// let exec = |command: &str| Ok(command == "on-vpn web1");
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice").exec(&exec))?;
    /// assert_eq!(web1.port, Some(2222));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn exec(mut self, run: &'a dyn Fn(&str) -> io::Result<bool>) -> Self {
        self.exec = Some(run);
        self
    }

    /// Sets the host name of this machine, for the tokens `%l`, `%L` and `%C`.
    ///
    /// ```
    /// use fabrs_openssh::config::{IdentityAgent, Query, SshConfig};
    ///
    /// let config = SshConfig::parse("IdentityAgent /run/%L\n", "config")?;
    /// let query = Query::new("web1", "alice", "/home/alice").local_hostname("desk.example.com");
    /// let agent = config.resolve(&query)?.identity_agent;
    /// assert_eq!(agent, Some(IdentityAgent::Socket("/run/desk".into())));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn local_hostname(mut self, name: impl Into<String>) -> Self {
        self.local_hostname = Some(name.into());
        self
    }

    /// Sets the ID of the local user, for the token `%i`.
    ///
    /// ```
    /// use fabrs_openssh::config::{IdentityAgent, Query, SshConfig};
    ///
    /// let config = SshConfig::parse("IdentityAgent /run/%i\n", "config")?;
    /// let query = Query::new("web1", "alice", "/home/alice").uid(1000);
    /// let agent = config.resolve(&query)?.identity_agent;
    /// assert_eq!(agent, Some(IdentityAgent::Socket("/run/1000".into())));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    #[must_use = "returns the changed query"]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment function is omitted. The variables may contain secrets.
        f.debug_struct("Query")
            .field("host", &self.host)
            .field("user", &self.user)
            .field("port", &self.port)
            .field("local_user", &self.local_user)
            .field("home", &self.home)
            .field("local_hostname", &self.local_hostname)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}
