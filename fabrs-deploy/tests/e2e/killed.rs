//! Deploys interrupted or killed in each phase: the lock is released, and the next deploy cleans
//! up.

use std::fs;
use std::time::Duration;

use fabrs_testing::{GitServer, Process, RunningFab, SiteHosts, wait_until};

use crate::fab::{ProjectDir, fab};

/// The time limit of a wait.
const LIMIT: Duration = Duration::from_mins(2);

/// A site with steps that wait while a file exists.
const TASKS: &str = r#"//! ```cargo
//! [dependencies]
//! fabrs-deploy = {}
//! serde = { version = "1", features = ["derive"] }
//! ```
use fabrs::prelude::*;
use fabrs_deploy::{Git, RestartCommand, Site};

#[derive(serde::Deserialize)]
struct Vars { root: String, repository: String }

/// Waits on the host while `hold-PHASE` exists, and creates `held-PHASE` to report the wait.
fn held(phase: &'static str) -> Command {
    run(cmd!("if [ -e ../../hold-{phase} ]; then touch ../../held-{phase}; while [ -e ../../hold-{phase} ]; do sleep 0.1; done; fi"))
}

#[task(local)]
async fn deploy() -> Result {
    let Vars { root, repository } = current().vars()?;
    let site = Site::new(root)
        .source(Git::at(repository).allow_dirty(true))
        .build(|_| held("build"))
        .once(|_| held("once"))
        .restart(|_| async { run("cp version ../../live").await?; held("reload").await });
    site.deploy(on(role("web"))?).await?;
    Ok(())
}

/// Each host returns to its previous release by itself if the run is killed.
#[task(local)]
async fn deploy_or_revert() -> Result {
    let Vars { root, repository } = current().vars()?;
    let site = Site::new(root)
        .source(Git::at(repository).allow_dirty(true))
        .restart(RestartCommand::run("cp version ../../live"))
        .health(|_| held("health"))
        .revert_unless_confirmed(secs(1));
    site.deploy(on(role("web"))?).await?;
    Ok(())
}
"#;

struct Fixture {
    origin: GitServer,
    fleet: SiteHosts,
    _project: ProjectDir,
}

impl Fixture {
    /// Deploys a first build, and creates the next build.
    fn start() -> Option<Self> {
        let fleet = SiteHosts::start()?;
        let project = ProjectDir::open("killed");
        let fixture = Self { origin: project.serve(), fleet, _project: project };
        let toml = format!(
            "[vars]\nroot = '{}'\nrepository = '{}'\n[env.staging]\nroles.web = ['web[1-3]']\n",
            fixture.fleet.site(),
            fixture.origin.url()
        );
        fixture.origin.build("deployable-1", &[("tasks.rs", TASKS), ("fabrs.toml", &toml), ("version", "one")]);
        fab(&fixture.origin, &fixture.fleet, &["deploy"]).run();
        fixture.origin.build("deployable-2", &[("version", "two")]);
        Some(fixture)
    }

    /// Starts a task, and waits until the given hosts are held in a phase.
    fn held_in(&self, task: &str, phase: &str, hosts: &[usize]) -> RunningFab {
        for host in 0..3 {
            self.fleet.write(host, &format!("hold-{phase}"), "");
        }
        let running = fab(&self.origin, &self.fleet, &[task]).any_code().spawn();
        wait_until("the deploy is held", LIMIT, || {
            hosts.iter().all(|host| self.fleet.root(*host).join(format!("held-{phase}")).exists())
        });
        running
    }

    /// Returns `true` if another run could acquire the lock of a host.
    fn is_unlocked(&self, host: usize) -> bool {
        let lock = fs::File::open(self.fleet.root(host).join("deploy.lock"));
        lock.expect("a deploy has created the file").try_lock().is_ok()
    }

    /// Removes the files of a held phase.
    fn release(&self, phase: &str) {
        for host in 0..3 {
            for kind in ["hold", "held"] {
                let _gone = fs::remove_file(self.fleet.root(host).join(format!("{kind}-{phase}")));
            }
        }
    }

    /// Deploys without a wait for the lock, and checks that all hosts have the same release and no
    /// leftovers.
    #[track_caller]
    fn assert_next_deploy_cleans_up(&self) {
        fab(&self.origin, &self.fleet, &["deploy"]).run();
        let current = self.fleet.current();
        assert!(!current[0].is_empty() && current.iter().all(|release| *release == current[0]), "{current:?}");
        assert_eq!(self.fleet.live("version"), ["two"; 3]);
        for host in 0..3 {
            let live = fs::read_to_string(self.fleet.root(host).join("live"));
            assert_eq!(live.ok().as_deref(), Some("two"));
            let unfinished = self.fleet.names(host, "releases").into_iter().filter(|release| {
                self.fleet.root(host).join("releases").join(release).join(".fabrs-unfinished").exists()
            });
            assert_eq!(unfinished.count(), 0, "no unfinished release remains");
        }
    }
}

const PHASES: [(&str, &[usize]); 3] = [("build", &[0, 1, 2]), ("once", &[0]), ("reload", &[0, 1, 2])];

#[test]
fn ctrl_c_reverts_a_deploy_in_each_phase() {
    let Some(fixture) = Fixture::start() else { return };
    let before = fixture.fleet.current();
    for (phase, hosts) in PHASES {
        let running = fixture.held_in("deploy", phase, hosts);
        // The signal ends the held step. The steps of the revert must not wait.
        running.interrupt();
        running.wait_for_stderr("stopping", LIMIT);
        fixture.release(phase);
        let ran = running.wait();
        assert_eq!(ran.code, 130, "{phase}: {}", ran.stderr);
        assert_eq!(fixture.fleet.current(), before, "{phase}: {}", ran.stderr);
        for host in 0..3 {
            assert_eq!(fixture.fleet.names(host, "releases"), [before[host].clone()], "{phase}: {}", ran.stderr);
            assert_eq!(
                fs::read_to_string(fixture.fleet.root(host).join("live")).ok().as_deref(),
                Some("one"),
                "{phase}"
            );
        }
    }
    fixture.assert_next_deploy_cleans_up();
}

#[test]
fn a_killed_deploy_releases_the_lock_and_the_next_deploy_cleans_up() {
    let Some(fixture) = Fixture::start() else { return };
    for (phase, hosts) in PHASES {
        let running = fixture.held_in("deploy", phase, hosts);
        running.kill();
        running.wait();
        // The processes of an unfinished release end before the lock is released.
        wait_until("the lock is free", LIMIT, || (0..3).all(|host| fixture.is_unlocked(host)));
        let (site, held) = (fixture.fleet.site().replace("~/", ""), format!("held-{phase}"));
        let is_left = |process: &Process| process.cmdline.contains(&site) && process.cmdline.contains(&held);
        assert!(
            phase == "reload" || !Process::all().iter().any(is_left),
            "{phase}: a process of the deploy still runs"
        );
        fixture.release(phase);
        fixture.assert_next_deploy_cleans_up();
    }
}

#[test]
fn every_host_reverts_by_itself_after_the_run_is_killed() {
    let Some(fixture) = Fixture::start() else { return };
    let before = fixture.fleet.current();
    let running = fixture.held_in("deploy_or_revert", "health", &[0, 1, 2]);
    assert_eq!(fixture.fleet.live("version"), ["two"; 3]);
    running.kill();
    running.wait();
    let root = |host| fixture.fleet.root(host);
    wait_until("every host has reverted", LIMIT, || {
        (0..3).all(|host| root(host).join(".fabrs-host-revert/result").exists())
    });
    assert_eq!(fixture.fleet.current(), before);
    for host in 0..3 {
        assert_eq!(
            fs::read_to_string(root(host).join("live")).ok().as_deref(),
            Some("one"),
            "the service is restarted"
        );
        let releases = fixture.fleet.names(host, "releases");
        let marked =
            releases.iter().filter(|release| root(host).join("releases").join(release).join("BAD_RELEASE").exists());
        assert_eq!(marked.collect::<Vec<_>>(), releases.last().into_iter().collect::<Vec<_>>());
        wait_until("the site is unlocked", LIMIT, || fixture.is_unlocked(host));
    }
    fixture.release("health");
}
