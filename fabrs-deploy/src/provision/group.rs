//! [`GroupAccount`]: a group of the host.

use fabrs::{Command, Connection, Error, cmd};

use super::account_name::check_account;
use super::request::EnsureRequest;
use super::resource::ProbedResource;
use super::user::AccountKind;

/// A group of the host: see [`Provision::ensure_group`](super::Provision::ensure_group).
#[derive(Debug, Clone)]
pub struct GroupAccount {
    name: String,
    kind: AccountKind,
}

impl GroupAccount {
    pub(super) fn new(name: String) -> Self {
        Self { name, kind: AccountKind::Login }
    }
}

impl EnsureRequest<GroupAccount> {
    /// Creates a missing group with a GID in the system range.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_group("deployers").system();
    /// assert!(format!("{request:?}").contains("System"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn system(self) -> Self {
        self.map(|group| group.kind = AccountKind::System)
    }
}

impl ProbedResource for GroupAccount {
    fn label(&self) -> String {
        format!("group {}", self.name)
    }

    fn check(&self) -> Result<(), Error> {
        check_account("group", &self.name)
    }

    fn probe(&self, connection: &Connection) -> Command {
        let name = &self.name;
        connection.probe(cmd!("getent group {name} > /dev/null || echo missing"))
    }

    fn change(&self, connection: &Connection, _differences: &[String]) -> Command {
        let name = &self.name;
        match self.kind {
            AccountKind::Login => connection.sudo(cmd!("groupadd {name}")),
            AccountKind::System => connection.sudo(cmd!("groupadd --system {name}")),
        }
    }

    fn change_label(&self, _differences: &[String]) -> String {
        format!("create {}", self.label())
    }
}
