//! The hosts of a site that a step is for.

use std::fmt;
use std::sync::Arc;

use fabrs::group::Targets;
use fabrs::{Client, Connection, Error, ErrorKind, Host};

/// Finds hosts by the inventory of a run.
type Find = dyn Fn(&Client) -> Result<Vec<Host>, Error> + Send + Sync;

/// The hosts that a step is for: by default all.
#[derive(Clone, Default)]
pub(crate) struct Scope(Vec<Arc<Find>>);

impl Scope {
    /// Returns the part of it that is among these hosts.
    pub(crate) fn and(&self, hosts: impl Targets + Clone + Send + Sync + 'static) -> Self {
        let mut all = self.0.clone();
        all.push(Arc::new(move |client: &Client| hosts.clone().hosts(client)));
        Self(all)
    }

    /// Returns itself, or `other` if it has all hosts.
    pub(crate) fn or<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.0.is_empty() { other } else { self }
    }

    /// Tells whether a host is in it, whatever the user.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the environment has no such role, or a host is not valid.
    pub(crate) fn has(&self, host: &Connection) -> Result<bool, Error> {
        let (Some(client), Some(host)) = (host.client(), host.host()) else { return Ok(true) };
        for find in &self.0 {
            if !found(find, client)?.iter().any(|other| is_same(other, host)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns its hosts in words.
    ///
    /// # Errors
    ///
    /// As [`has`](Self::has).
    pub(crate) fn label(&self, client: &Client) -> Result<String, Error> {
        let mut parts = Vec::new();
        for find in &self.0 {
            let names: Vec<String> = found(find, client)?.iter().map(|host| host.label().to_string()).collect();
            parts.push(if names.is_empty() { "a role without a selected host".to_owned() } else { names.join(", ") });
        }
        Ok(parts.join(" and "))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "all hosts" } else { "some hosts" })
    }
}

/// Returns the hosts; none, if the command line has selected none of them.
fn found(find: &Arc<Find>, client: &Client) -> Result<Vec<Host>, Error> {
    match find(client) {
        Err(error) if error.kind() == ErrorKind::NoHost => Ok(Vec::new()),
        found => found,
    }
}

/// Tells whether two hosts are the same, as far as both say it.
fn is_same(one: &Host, other: &Host) -> bool {
    one.name() == other.name() && (one.port().is_none() || other.port().is_none() || one.port() == other.port())
}

#[cfg(test)]
mod tests {
    use fabrs::transport::Fake;

    use super::*;

    fn client() -> Client {
        Client::builder().dial(Fake::new()).build()
    }

    #[test]
    fn a_scope_has_all_hosts_or_those_in_every_selection() {
        let client = client();
        let [web1, web2, web3] = ["web1", "alice@web2", "web3"].map(|host| client.connect(host).unwrap());
        let all = Scope::default();
        let some = all.and(["web1", "web2"]);
        let one = some.and(["web2", "web3"]);
        for (scope, expected) in [(&all, [true; 3]), (&some, [true, true, false]), (&one, [false, true, false])] {
            assert_eq!([&web1, &web2, &web3].map(|host| scope.has(host).unwrap()), expected, "{scope:?}");
        }
        assert!(!some.has(&client.connect("web10").unwrap()).unwrap());
        assert_eq!(one.label(&client).unwrap(), "web1, web2 and web2, web3");
    }

    #[test]
    fn a_role_that_is_not_there_is_an_error() {
        let client = client();
        let scope = Scope::default().and(fabrs::group::role("wroker"));
        assert_eq!(scope.has(&client.connect("web1").unwrap()).unwrap_err().kind(), ErrorKind::Usage);
    }
}
