//! The test environment: hosts, database, repository, load balancer and mailbox.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fabrs_testing::receivers::{RecordingServer, smtp};
use fabrs_testing::{Account, DatabaseServer, FabOutput, GitServer, SiteHosts, wait_until};

use crate::balancer::Balancer;
use crate::fab::{ProjectDir, fab};
use crate::project::Build;

/// Three hosts with their database, load balancer, repository and mailbox.
pub(crate) struct ShopEnvironment {
    pub(crate) balancer: Balancer,
    pub(crate) database: DatabaseServer,
    pub(crate) mailbox: RecordingServer<String>,
    pub(crate) origin: GitServer,
    pub(crate) fleet: SiteHosts,
    _project: ProjectDir,
}

impl ShopEnvironment {
    /// Starts the environment. Returns `None` without the permission to create accounts.
    pub(crate) fn new() -> Option<Self> {
        let fleet = SiteHosts::start()?;
        let project = ProjectDir::open("django-shop");
        let roots = [0, 1, 2].map(|host| fleet.root(host));
        let shop = Self {
            balancer: Balancer::start(&roots),
            database: DatabaseServer::postgres(Account::Plain.name()),
            mailbox: smtp(),
            origin: project.serve(),
            fleet,
            _project: project,
        };
        let toml = format!(
            "[vars]\nroot = '{}'\nrepository = '{}'\nsmtp_server = 'localhost'\nsmtp_port = {}\n[env.staging]\nvars.stage = 'none'\nroles.web = ['web[1-3]']\n",
            shop.fleet.site(),
            shop.origin.url(),
            shop.mailbox.addr().port(),
        );
        fs::write(shop.origin.tree().join("fabrs.toml"), toml).expect("the directory is writable");
        Some(shop)
    }

    /// Creates a build as CI would: commits, tags the commit as good, and pushes.
    pub(crate) fn build(&self, build: Build) {
        build.write(&self.origin.tree());
        self.origin.build(build.tag(), &[]);
    }

    /// Runs `fab staging` with these arguments, prints the output, and expects this exit code.
    #[track_caller]
    pub(crate) fn fab(&self, words: &[&str], code: i32) -> FabOutput {
        println!("\n$ fab staging {}", words.join(" "));
        let ran = fab(&self.origin, &self.fleet, words).code(code).run();
        println!("{}{}", ran.stdout, ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(DatabaseServer::PASSWORD), "the password of the database is shown: {text}");
        }
        ran
    }
}

impl Drop for ShopEnvironment {
    fn drop(&mut self) {
        for host in 0..3 {
            let pid = fs::read_to_string(self.fleet.root(host).join("shared/supervisord.pid")).unwrap_or_default();
            let (pid, user) = (pid.trim(), self.fleet.hosts[host].user());
            // supervisord also stops its programs.
            let _gone = Command::new("runuser").args(["-u", user, "--", "kill", pid]).output();
            wait_until("supervisord has stopped", Duration::from_mins(1), || {
                pid.is_empty() || !Path::new("/proc").join(pid).exists()
            });
        }
    }
}
