//! [`UserAccount`]: a user of the host.

use fabrs::{Command, Connection, Error};

use super::account_name::check_account;
use super::request::EnsureRequest;
use super::resource::ProbedResource;
use crate::remote_script::with_arguments;

/// Prints the differences of a user.
const PROBE: &str = include_str!("user_probe.sh");

/// Creates or changes a user.
const CHANGE: &str = include_str!("user_change.sh");

/// The kind of a user or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountKind {
    /// A regular account, with an ID in the normal range.
    Login,
    /// An account for a service, with an ID in the system range.
    System,
}

/// A user of the host: see [`Provision::ensure_user`](super::Provision::ensure_user).
#[derive(Debug, Clone)]
pub struct UserAccount {
    name: String,
    kind: AccountKind,
    home: Option<String>,
    shell: Option<String>,
    groups: Vec<String>,
}

impl UserAccount {
    pub(super) fn new(name: String) -> Self {
        Self { name, kind: AccountKind::Login, home: None, shell: None, groups: Vec::new() }
    }

    fn arguments(&self) -> Vec<&str> {
        let kind = match self.kind {
            AccountKind::Login => "login",
            AccountKind::System => "system",
        };
        let settings = [&self.home, &self.shell].map(|setting| setting.as_deref().unwrap_or_default());
        [&self.name, kind].into_iter().chain(settings).chain(self.groups.iter().map(String::as_str)).collect()
    }
}

impl EnsureRequest<UserAccount> {
    /// Creates a missing user with a UID in the system range, for services.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_user("shop").system().shell("/usr/sbin/nologin");
    /// assert!(format!("{request:?}").contains("System"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn system(self) -> Self {
        self.map(|user| user.kind = AccountKind::System)
    }

    /// Sets the home directory. The files of an old home directory are not moved. Defaults to the
    /// default of `useradd`, mostly `/home/NAME`.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_user("shop").home("/srv/shop");
    /// assert!(format!("{request:?}").contains("/srv/shop"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn home(self, directory: impl Into<String>) -> Self {
        self.map(|user| user.home = Some(directory.into().trim_end_matches('/').to_owned()))
    }

    /// Sets the login shell. Defaults to the default of `useradd` for a missing user.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_user("ann").shell("/bin/bash");
    /// assert!(format!("{request:?}").contains("/bin/bash"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn shell(self, program: impl Into<String>) -> Self {
        self.map(|user| user.shell = Some(program.into()))
    }

    /// Adds the user to these groups. The user stays in all other groups. Each group must exist.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_user("ann").groups(["sudo", "adm"]);
    /// assert!(format!("{request:?}").contains("adm"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn groups<G: Into<String>>(self, groups: impl IntoIterator<Item = G>) -> Self {
        self.map(|user| user.groups.extend(groups.into_iter().map(Into::into)))
    }
}

impl ProbedResource for UserAccount {
    fn label(&self) -> String {
        format!("user {}", self.name)
    }

    fn check(&self) -> Result<(), Error> {
        check_account("user", &self.name)?;
        self.groups.iter().try_for_each(|group| check_account("group", group))
    }

    fn probe(&self, connection: &Connection) -> Command {
        connection.probe(with_arguments(self.arguments(), PROBE))
    }

    fn change(&self, connection: &Connection, _differences: &[String]) -> Command {
        connection.sudo(with_arguments(self.arguments(), CHANGE))
    }

    fn change_label(&self, differences: &[String]) -> String {
        if differences.iter().any(|difference| difference == "missing") {
            return format!("create {}", self.label());
        }
        format!("change {} ({})", self.label(), differences.join(", "))
    }
}
