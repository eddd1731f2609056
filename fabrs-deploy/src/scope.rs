//! The scope of a step: a subset of the hosts of a site.

use fabrs::{Client, Connection, Error, ErrorKind, IntoHost, Role};

/// A subset of the hosts of a site: a role of the environment, or hosts by name.
///
/// `-H` and `-x` do not change a subset. They select the hosts of the deploy. A name without user
/// and port matches all hosts with this name.
///
/// ```
/// use fabrs::role;
/// use fabrs_deploy::HostSubset;
///
/// assert_eq!(HostSubset::from(["web1"]), HostSubset::Hosts(vec!["web1".into()]));
/// assert!(matches!(HostSubset::from(role("web")), HostSubset::Role(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostSubset {
    /// The hosts of a role.
    Role(Role),
    /// Hosts by name.
    Hosts(Vec<String>),
}

impl HostSubset {
    fn has(&self, host: &Connection) -> Result<bool, Error> {
        let (Some(client), Some(host)) = (host.client(), host.host()) else { return Ok(true) };
        match self {
            Self::Role(role) => client.inventory().is_in_role(host, role.name()),
            Self::Hosts(names) => {
                for name in names {
                    if name.as_str().into_host()?.covers(host) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Returns connections to all hosts of the subset, regardless of `-H` and `-x`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) if the environment has no such role, or if a
    /// name is invalid.
    pub(crate) fn connections(&self, client: &Client) -> Result<Vec<Connection>, Error> {
        match (self, client.inventory().environment()) {
            (Self::Role(role), Some(environment)) => {
                environment.role(role.name())?.iter().map(|host| client.connect(host.clone())).collect()
            }
            (Self::Role(role), None) => {
                let text = format!("the role `{}` needs an environment", role.name());
                Err(Error::new(ErrorKind::Usage, text)
                    .hint("write the environment before the task: `fab production deploy`"))
            }
            (Self::Hosts(names), _) => names.iter().map(|name| client.connect(name.as_str())).collect(),
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Role(role) => format!("role `{}`", role.name()),
            Self::Hosts(names) => names.join(", "),
        }
    }
}

impl From<Role> for HostSubset {
    fn from(role: Role) -> Self {
        Self::Role(role)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for HostSubset {
    fn from(names: [S; N]) -> Self {
        Self::Hosts(names.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>> From<Vec<S>> for HostSubset {
    fn from(names: Vec<S>) -> Self {
        Self::Hosts(names.into_iter().map(Into::into).collect())
    }
}

/// The hosts of a step: the intersection of some subsets. Defaults to all hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Vec<HostSubset>);

impl Scope {
    /// Returns the intersection with one more subset.
    pub(crate) fn and(&self, hosts: impl Into<HostSubset>) -> Self {
        Self(self.0.iter().cloned().chain([hosts.into()]).collect())
    }

    /// Returns the scope itself, or `other` if the scope contains all hosts.
    pub(crate) fn or<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.0.is_empty() { other } else { self }
    }

    /// Returns whether the scope contains a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) if the environment has no such role, or if a
    /// name is invalid.
    pub(crate) fn has(&self, host: &Connection) -> Result<bool, Error> {
        for subset in &self.0 {
            if !subset.has(host)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the subsets as text. Of several subsets, each list of hosts is in brackets.
    pub(crate) fn label(&self) -> String {
        let is_single = self.0.len() == 1;
        let label = |subset: &HostSubset| match subset {
            HostSubset::Hosts(names) if !is_single && names.len() > 1 => format!("({})", subset.label()),
            _ => subset.label(),
        };
        self.0.iter().map(label).collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrs::transport::Fake;

    fn client() -> Client {
        Client::builder().dial(Fake::new()).build()
    }

    #[test]
    fn a_scope_contains_all_hosts_or_the_intersection_of_its_subsets() {
        let client = client();
        let hosts = ["web1", "alice@web2", "web3"].map(|host| client.connect(host).unwrap());
        let some = Scope::default().and(["web1", "web2"]);
        let one = some.and(["web2", "web3"]);
        for (scope, expected) in
            [(&Scope::default(), [true; 3]), (&some, [true, true, false]), (&one, [false, true, false])]
        {
            assert_eq!(hosts.each_ref().map(|host| scope.has(host).unwrap()), expected, "{scope:?}");
        }
        assert!(!some.has(&client.connect("web10").unwrap()).unwrap());
        assert_eq!(some.label(), "web1, web2");
        assert_eq!(one.label(), "(web1, web2) and (web2, web3)");
    }

    #[test]
    fn a_role_without_an_environment_is_an_error() {
        let scope = Scope::default().and(fabrs::role("worker"));
        let error = scope.has(&client().connect("web1").unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
