//! Three SSH hosts for deploy tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::accounts::Account;
use crate::capability::Capability;
use crate::process::marker;
use crate::sshd::Sshd;

/// Three servers with one user each. A deploy site is in the home of each user, until drop.
#[derive(Debug)]
pub struct SiteHosts {
    /// The servers, in the order of [`SiteHosts::HOSTS`].
    pub hosts: [Sshd; 3],
    site_name: String,
    dir: TempDir,
}

impl SiteHosts {
    /// The host names.
    pub const HOSTS: [&'static str; 3] = ["web1", "web2", "web3"];

    /// Starts the servers. Prints a note and returns `None` without root.
    ///
    /// # Panics
    ///
    /// See [`SshdBuilder::start`](crate::SshdBuilder::start).
    #[track_caller]
    pub fn start() -> Option<Self> {
        if !Capability::Accounts.is_available() {
            return None;
        }
        let accounts = [Account::Plain, Account::Dash, Account::SudoNopasswd];
        let hosts = [0, 1, 2].map(|n| {
            let sshd = Sshd::builder().users([accounts[n]]).aliases([Self::HOSTS[n]]);
            registry_variables().fold(sshd, |sshd, variable| sshd.option("SetEnv", variable)).start()
        });
        let dir = tempfile::Builder::new().prefix("fabrs-site-hosts-").tempdir().expect("a temporary directory");
        let all: String = hosts.iter().map(ssh_config_block).collect();
        fs::write(dir.path().join("ssh_config"), all).expect("a writable directory");
        Some(Self { hosts, site_name: format!("site-{}", marker()), dir })
    }

    /// Returns a temporary directory for files of the test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the path of an `ssh_config` with all hosts under their names.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// Returns the site root as configured on the hosts, relative to the home.
    pub fn site(&self) -> String {
        format!("~/{}", self.site_name)
    }

    /// Returns the site root of a host as an absolute path.
    pub fn root(&self, host: usize) -> PathBuf {
        PathBuf::from("/home").join(self.hosts[host].user()).join(&self.site_name)
    }

    /// Writes a file below the site root of a host, as the user of the host.
    ///
    /// # Panics
    ///
    /// If the user cannot write the file.
    #[track_caller]
    pub fn write(&self, host: usize, path: &str, text: &str) {
        let root = self.root(host);
        let line = format!("mkdir -p {0}/$(dirname {path}) && printf %s \"$TEXT\" > {0}/{path}", root.display());
        let user = self.hosts[host].user();
        let ran = Command::new("runuser").args(["-u", user, "--", "sh", "-c", &line]).env("TEXT", text).status();
        assert!(ran.is_ok_and(|status| status.success()), "{user} can write {path}");
    }

    /// Returns the text of a file in the live release of each host. Empty without a release.
    pub fn live(&self, file: &str) -> [String; 3] {
        [0, 1, 2].map(|n| fs::read_to_string(self.root(n).join("current").join(file)).unwrap_or_default())
    }

    /// Returns the name of the live release of each host. Empty without a release.
    pub fn current(&self) -> [String; 3] {
        [0, 1, 2].map(|n| {
            let link = fs::read_link(self.root(n).join("current")).unwrap_or_default();
            link.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        })
    }

    /// Returns the sorted file names in a directory of the site on a host.
    pub fn names(&self, host: usize, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root(host).join(dir)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Returns the registry settings of pip and uv. The hosts run on this machine and use the same
/// registry.
fn registry_variables() -> impl Iterator<Item = String> {
    let prefixes = ["PIP_", "UV_", "SSL_CERT_", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
    let all = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let ours = all.filter(move |(name, value)| {
        // Values that need quoting in `sshd_config` are omitted.
        prefixes.iter().any(|prefix| name.starts_with(prefix))
            && !value.contains(|c: char| c.is_whitespace() || c == '"')
    });
    ours.map(|(name, value)| format!("{name}={value}"))
}

/// Returns the `ssh_config` block of a host.
fn ssh_config_block(sshd: &Sshd) -> String {
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

impl Drop for SiteHosts {
    fn drop(&mut self) {
        for host in 0..3 {
            let _ = fs::remove_dir_all(self.root(host));
        }
    }
}
