//! Three servers with a user each, whose homes hold the site of one test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use fabrs::config::{Input, Settings, SshConfigFrom};
use fabrs::event::{Capture, Sink};
use fabrs::{Client, ClientBuilder, Group};
use fabrs_deploy::{App, Git, Site};
use fabrs_testing::{Account, Capability, Sshd, marker};
use tempfile::TempDir;

use crate::origin::Origin;

/// The names under which the hosts are known.
pub(crate) const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// Three hosts, the repository that they fetch from, and the site that a test deploys to them.
pub(crate) struct Ground {
    pub(crate) hosts: [Sshd; 3],
    pub(crate) origin: Origin,
    folder: String,
    config: TempDir,
}

impl Ground {
    /// Starts all of it; nothing where there can't be several accounts.
    pub(crate) fn start() -> Option<Self> {
        if !Sshd::can(Capability::Accounts) {
            return None;
        }
        let accounts = [Account::Plain, Account::Dash, Account::SudoFree];
        let hosts = [0, 1, 2].map(|n| Sshd::builder().users([accounts[n]]).aliases([HOSTS[n]]).start());
        let config = tempfile::tempdir().expect("a temporary directory");
        let all: String = hosts.iter().map(block).collect();
        fs::write(config.path().join("ssh_config"), all).expect("the directory is ours");
        Some(Self { hosts, origin: Origin::start(config.path()), folder: format!("site-{}", marker()), config })
    }

    /// Returns a client for the hosts; what it tells is kept.
    pub(crate) fn client(&self) -> (Client, Arc<Capture>) {
        self.client_with(|settings| settings)
    }

    pub(crate) fn client_with(&self, change: impl FnOnce(Settings) -> Settings) -> (Client, Arc<Capture>) {
        self.client_of(change, |builder| builder)
    }

    pub(crate) fn client_of(
        &self,
        change: impl FnOnce(Settings) -> Settings,
        build: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Client, Arc<Capture>) {
        let told = Arc::new(Capture::default());
        let ssh_config = SshConfigFrom::File(self.config.path().join("ssh_config"));
        let settings = change(Settings { ssh_config, input: Input::Refused, ..Settings::default() });
        let builder = build(Client::builder().settings(settings));
        (builder.sink(Arc::clone(&told) as Arc<dyn Sink>).build(), told)
    }

    /// Returns the site without any step. What `fab` runs in is not a work tree of the site here.
    pub(crate) fn site(&self) -> Site {
        Site::new(format!("~/{}", self.folder)).source(Git::at(self.origin.url()).allow_dirty(true))
    }

    /// Returns the folder of the site on a host, as this machine sees it.
    pub(crate) fn root(&self, host: usize) -> PathBuf {
        PathBuf::from("/home").join(self.hosts[host].user()).join(&self.folder)
    }

    /// Writes a file of the site on a host, as its user would.
    pub(crate) fn write(&self, host: usize, path: &str, text: &str) {
        let line =
            format!("mkdir -p {0}/$(dirname {1}) && printf %s \"$TEXT\" > {0}/{1}", self.root(host).display(), path);
        let user = self.hosts[host].user();
        let ran = Command::new("runuser").args(["-u", user, "--", "sh", "-c", &line]).env("TEXT", text).status();
        assert!(ran.is_ok_and(|status| status.success()), "{user} can write {path}");
    }

    /// Returns the text of a file of the release that is live on each host; nothing where there is none.
    pub(crate) fn live(&self, file: &str) -> [String; 3] {
        [0, 1, 2].map(|n| fs::read_to_string(self.root(n).join("current").join(file)).unwrap_or_default())
    }

    /// Returns the release that is live on each host; nothing where there is none.
    pub(crate) fn current(&self) -> [String; 3] {
        [0, 1, 2].map(|n| {
            let link = fs::read_link(self.root(n).join("current")).unwrap_or_default();
            link.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        })
    }

    /// Returns the names in a folder of the site on a host.
    pub(crate) fn names(&self, host: usize, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root(host).join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Returns what a config for ssh says of one of several hosts.
fn block(sshd: &Sshd) -> String {
    format!(
        "Host {}\n    HostName 127.0.0.1\n    Port {}\n    User {}\n    IdentityFile {}\n    IdentitiesOnly yes\n    \
         UserKnownHostsFile {}\n",
        sshd.alias(),
        sshd.port(),
        sshd.user(),
        sshd.identity().display(),
        sshd.known_hosts().display()
    )
}

/// Returns the hosts as a group of a client.
pub(crate) fn all(client: &Client) -> Group {
    Group::of(client, HOSTS).expect("the names are hosts")
}

/// Tells whether a step runs on a host.
pub(crate) fn is_on(app: &App, host: &str) -> bool {
    app.connection().host().is_some_and(|on| on.to_string() == host)
}

impl Drop for Ground {
    fn drop(&mut self) {
        for host in 0..3 {
            let _gone = fs::remove_dir_all(self.root(host));
        }
    }
}
