//! Everything that there is beside the project: hosts, database, repository, and nginx.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs_testing::{Account, Capability, Fab, Ran, Sshd, marker};

use crate::balancer::Balancer;
use crate::database::Database;
use crate::origin::Origin;
use crate::project::Build;

/// The names under which the hosts are known.
pub(crate) const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// Three hosts, their database, what is in front of them, and the repository.
pub(crate) struct World {
    pub(crate) balancer: Balancer,
    pub(crate) database: Database,
    pub(crate) origin: Origin,
    hosts: [Sshd; 3],
    folder: String,
    config: PathBuf,
    _lock: File,
}

impl World {
    /// Makes it; nothing where there can't be several accounts.
    pub(crate) fn new() -> Option<Self> {
        if !Sshd::can(Capability::Accounts) {
            return None;
        }
        // The same path in every run, so that what is compiled for it is not compiled again.
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("django-shop");
        fs::create_dir_all(&place).expect("the folder is cargo's own");
        let lock = File::create(place.with_added_extension("lock")).expect("the folder is cargo's own");
        lock.lock().expect("a local file can be locked");
        fs::remove_dir_all(&place).and_then(|()| fs::create_dir_all(&place)).expect("the folder is cargo's own");

        let accounts = [Account::Plain, Account::Dash, Account::SudoFree];
        let hosts = [0, 1, 2].map(|n| Sshd::builder().users([accounts[n]]).aliases([HOSTS[n]]).start());
        let config = place.join("ssh_config");
        fs::write(&config, hosts.iter().map(block).collect::<String>()).expect("the folder is ours");
        let folder = format!("shop-{}", marker());
        let roots = [0, 1, 2].map(|n| root(&hosts[n], &folder));
        let world = Self {
            balancer: Balancer::start(&roots),
            database: Database::start(Account::Plain.name()),
            origin: Origin::start(&place),
            hosts,
            folder,
            config,
            _lock: lock,
        };
        let toml = format!(
            "[vars]\nroot = '~/{}'\nrepository = '{}'\n[env.staging]\nroles.web = ['web1', 'web2', 'web3']\n",
            world.folder,
            world.origin.url()
        );
        fs::write(world.origin.tree().join("fabrs.toml"), toml).expect("the folder is ours");
        Some(world)
    }

    /// Makes a build, as CI would: commits it, tags it as good and pushes.
    pub(crate) fn build(&self, build: Build) -> String {
        build.write(&self.origin.tree());
        self.origin.build(build.tag(), &[])
    }

    /// Runs `fab staging` with these words, where there is no terminal, and expects this exit code.
    #[track_caller]
    pub(crate) fn fab(&self, words: &[&str], code: i32) -> Ran {
        let test = std::env::current_exe().expect("a process knows its own program");
        let profile = test.ancestors().nth(2).expect("target/debug/deps/e2e");
        let fab = Fab::new(profile.join("fab")).current_dir(self.origin.tree());
        println!("\n$ fab staging {}", words.join(" "));
        let ran = fab.arg("-S").arg(&self.config).arg("staging").args(words).own_session().code(code).run();
        println!("{}{}", ran.stdout, ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(crate::database::PASSWORD), "the password of the database is shown: {text}");
        }
        ran
    }

    /// Writes a file of the site on a host, as its user would.
    pub(crate) fn write(&self, host: usize, path: &str, text: &str) {
        let root = self.root(host);
        let line = format!("mkdir -p {0}/$(dirname {path}) && printf %s \"$TEXT\" > {0}/{path}", root.display());
        let user = self.hosts[host].user();
        let ran = Command::new("runuser").args(["-u", user, "--", "sh", "-c", &line]).env("TEXT", text).status();
        assert!(ran.is_ok_and(|status| status.success()), "{user} can write {path}");
    }

    /// Returns the folder of the site on a host.
    pub(crate) fn root(&self, host: usize) -> PathBuf {
        root(&self.hosts[host], &self.folder)
    }

    /// Returns the release that is live on each host.
    pub(crate) fn current(&self) -> [String; 3] {
        [0, 1, 2].map(|n| {
            let link = fs::read_link(self.root(n).join("current")).unwrap_or_default();
            link.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        })
    }
}

fn root(host: &Sshd, folder: &str) -> PathBuf {
    Path::new("/home").join(host.user()).join(folder)
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

impl Drop for World {
    fn drop(&mut self) {
        for host in 0..3 {
            let root = self.root(host);
            let user = self.hosts[host].user();
            let pid = fs::read_to_string(root.join("shared/supervisord.pid")).unwrap_or_default();
            // With it end the programs that it keeps; a server that lets go of its socket needs no more.
            let _gone = Command::new("runuser").args(["-u", user, "--", "kill", pid.trim()]).output();
            fabrs_testing::wait_until("the shop is closed", std::time::Duration::from_mins(1), || {
                pid.trim().is_empty() || !Path::new("/proc").join(pid.trim()).exists()
            });
            let _gone = fs::remove_dir_all(root);
        }
    }
}
