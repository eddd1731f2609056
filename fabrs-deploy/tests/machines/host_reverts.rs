//! A machine with a service of systemd returns to its previous release by itself, after the loss of
//! the network and after the end of the run.

use std::env;
use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use fabrs::config::{Mode, PromptPolicy, Settings, SshConfigSource};
use fabrs::prelude::*;
use fabrs_deploy::{App, Git, Gunicorn, HealthCheck, HostRevertState, Plugin, Site, Systemd};
use fabrs_testing::{GitServer, Machine, MachineNetwork, wait_until};
use tokio::sync::Semaphore;

use crate::fixture::{LIMIT, client};

/// An application that responds with its version.
const APPLICATION: &str = "def application(environ, start_response):\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [b'VERSION\\n']\n";

/// A unit of gunicorn. The start is complete when gunicorn listens.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\nExecReload=/bin/kill -s HUP $MAINPID\n\
    ExecStart=/usr/bin/gunicorn --chdir /srv/shop/current --bind 127.0.0.1:8000 shop\n";

/// The variables of a run in a child process: the repository, and the SSH configuration.
const RUN_TREE: &str = "FABRS_TEST_RUN_TREE";
const RUN_SSH_CONFIG: &str = "FABRS_TEST_RUN_SSH_CONFIG";

/// A machine with gunicorn, and a repository for the site.
struct Shop {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

/// Returns the site with the repository at a path.
fn site(tree: &Path, service: impl Plugin) -> Site {
    let source = Git::from_local(tree.display().to_string()).branch("main").without_deployed_tags();
    Site::new("/srv/shop")
        .source(source)
        .with(service)
        .health(HealthCheck::get("http://127.0.0.1:8000/"))
        .lock_lease(secs(3))
        .revert_unless_confirmed(secs(2))
}

impl Shop {
    fn start() -> Self {
        let machine = Machine::builder("web1").packages("gunicorn", ["gunicorn", "git", "curl"]);
        let network = MachineNetwork::builder().machine(machine).start();
        let shop = Self { network, tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        let path = "/etc/systemd/system/shop.service";
        let install = cmd!("printf %s {UNIT} > {path} && systemctl daemon-reload && install -d -o deploy /srv/shop");
        shop.machine().run(install.as_str());
        shop
    }

    fn machine(&self) -> &Machine {
        self.network.machine("web1")
    }

    /// Commits a version of the application.
    fn commit(&self, version: &str) {
        let application = APPLICATION.replace("VERSION", version);
        std::fs::write(self.tree.path().join("shop.py"), application).expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--message", version]);
    }

    fn site(&self) -> Site {
        site(self.tree.path(), Systemd::restart("shop"))
    }

    /// Deploys the first version, and commits the second.
    async fn deploy_first(&self, site: Site) -> Result<String> {
        self.commit("one");
        let (client, _) = client(&self.network, Mode::Run);
        let deployed = site.deploy(Group::of(&client, ["web1"])?).await;
        client.close().await;
        self.commit("two");
        Ok(deployed?.release.to_string())
    }

    /// Deploys the second version, and drops the deploy after its health check. `before` runs
    /// first.
    async fn cut_off(&self, site: Site, before: impl FnOnce()) -> Result {
        let (client, _) = client(&self.network, Mode::Run);
        let reached = Arc::new(Semaphore::new(0));
        let check = Arc::clone(&reached);
        let site = site.health(move |_: App| {
            check.add_permits(1);
            pending::<Result>()
        });
        tokio::select! {
            done = site.deploy(Group::of(&client, ["web1"])?) => panic!("the health check never ends: {done:?}"),
            reached = reached.acquire() => drop(reached?),
        }
        before();
        client.close().await;
        Ok(())
    }

    /// Waits until the machine serves the first version again.
    #[track_caller]
    fn assert_reverts_to(&self, release: &str) {
        let machine = self.machine();
        wait_until("the machine has reverted", LIMIT, || {
            machine.command("test -e /srv/shop/.fabrs-host-revert/result").status().is_ok_and(|status| status.success())
        });
        assert_eq!(machine.run("readlink /srv/shop/current"), format!("releases/{release}\n"));
        wait_until("the machine serves the first version", LIMIT, || {
            machine.command("curl -fsS http://127.0.0.1:8000/").output().is_ok_and(|served| served.stdout == b"one\n")
        });
        assert_eq!(machine.run("ls /srv/shop/releases/*/BAD_RELEASE | wc -l"), "1\n");
    }
}

/// The run of a child process: deploys the second version, with a health check that never ends.
async fn deploy_without_an_end(tree: &Path) -> Result {
    let ssh_config = SshConfigSource::File(env::var(RUN_SSH_CONFIG)?.into());
    let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(settings).build();
    site(tree, Systemd::restart("shop"))
        .health(|_: App| pending::<Result>())
        .deploy(Group::of(&client, ["web1"])?)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_reverts_by_itself_after_its_run_is_killed() -> Result {
    if let Ok(tree) = env::var(RUN_TREE) {
        return deploy_without_an_end(Path::new(&tree)).await;
    }
    let shop = Shop::start();
    let first = shop.deploy_first(shop.site()).await?;
    let mut run = Command::new(env::current_exe()?)
        .args(["--exact", "host_reverts::a_machine_reverts_by_itself_after_its_run_is_killed", "--nocapture"])
        .env(RUN_TREE, shop.tree.path())
        .env(RUN_SSH_CONFIG, shop.network.ssh_config())
        .spawn()?;
    wait_until("the second version is live", LIMIT, || {
        let served = shop.machine().command("curl -fsS http://127.0.0.1:8000/").output();
        served.is_ok_and(|served| served.stdout == b"two\n")
    });
    // The end of the last session also ends the user manager of the login.
    run.kill()?;
    run.wait()?;
    shop.assert_reverts_to(&first);

    let (client, _) = client(&shop.network, Mode::Run);
    let status = shop.site().read_status(Group::of(&client, ["web1"])?).await?;
    let state = status.hosts[0].host_revert.as_ref().map(|revert| &revert.state);
    assert!(
        matches!(state, Some(HostRevertState::Finished(text)) if text.contains("the host returned to")),
        "{state:?}"
    );
    let second = shop.site().deploy(Group::of(&client, ["web1"])?).revision("main".to_owned()).await?;
    client.close().await;
    assert_eq!(shop.machine().run("readlink /srv/shop/current"), format!("releases/{}\n", second.release));
    assert_eq!(shop.machine().run("curl -fsS http://127.0.0.1:8000/"), "two\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_network_reverts_by_itself() -> Result {
    let shop = Shop::start();
    let first = shop.deploy_first(shop.site()).await?;
    shop.cut_off(shop.site(), || shop.machine().unplug()).await?;
    shop.assert_reverts_to(&first);
    shop.machine().plug();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_without_systemd_is_started_by_the_machine_and_keeps_no_lock() -> Result {
    let shop = Shop::start();
    let start =
        "gunicorn --daemon --pid ../../shared/gunicorn.pid --chdir /srv/shop/current --bind 127.0.0.1:8000 shop";
    let site = || site(shop.tree.path(), Gunicorn::pid_file("../../shared/gunicorn.pid").start(start));
    let first = shop.deploy_first(site()).await?;
    shop.cut_off(site(), || drop(shop.machine().run("kill -9 $(pgrep gunicorn)"))).await?;
    shop.assert_reverts_to(&first);
    let (client, _) = client(&shop.network, Mode::Run);
    let deployed = site().deploy(Group::of(&client, ["web1"])?).revision("main".to_owned()).wait(false).await;
    client.close().await;
    deployed?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_ends_the_watchdog_and_status_reports_it() -> Result {
    let shop = Shop::start();
    shop.deploy_first(shop.site()).await?;
    shop.cut_off(shop.site(), || shop.machine().power_cut()).await?;
    shop.machine().power_on();
    shop.machine().wait_until_up();
    let (client, _) = client(&shop.network, Mode::Run);
    let status = shop.site().read_status(Group::of(&client, ["web1"])?).await?;
    client.close().await;
    let host = &status.hosts[0];
    let revert = host.host_revert.as_ref().context("the release is unconfirmed")?;
    assert_eq!((&revert.state, Some(&revert.release)), (&HostRevertState::WatchdogEnded, host.live.as_ref()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_kills_the_processes_of_a_session_is_refused() -> Result {
    let shop = Shop::start();
    let first = shop.deploy_first(shop.site()).await?;
    let machine = shop.machine();
    let conf = "/etc/systemd/logind.conf.d/kill.conf";
    let line = cmd!(
        "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nKillUserProcesses=yes\\n' > {conf} && \
         systemctl restart systemd-logind"
    );
    machine.run(line.as_str());
    let (client, _) = client(&shop.network, Mode::Run);
    let deploy = shop.site().deploy(Group::of(&client, ["web1"])?);
    let error = deploy.await.expect_err("the watchdog would be killed").into_error();
    client.close().await;
    assert!(error.message().contains("KillUserProcesses=yes"), "{}", error.block());
    assert_eq!(machine.run("readlink /srv/shop/current"), format!("releases/{first}\n"));
    Ok(())
}
