//! Services on machines: units of systemd, and gunicorn with a pid file.

use std::path::Path;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{Git, Gunicorn, HealthCheck, Site, Systemd};
use fabrs_testing::{GitServer, Machine, MachineNetwork, wait_until};

use crate::fixture::{LIMIT, client};

/// An application that responds with its version and release.
const APPLICATION: &str = "import os\n\
    def application(environ, start_response):\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [('VERSION ' + os.path.basename(os.path.dirname(os.path.realpath(__file__))) + '\\n').encode()]\n";

/// A unit of gunicorn. The start is complete when gunicorn listens.
const UNIT: &str = "[Service]\nType=notify\nExecStart=/usr/bin/gunicorn --chdir /srv/shop/current --bind 127.0.0.1:8000 shop\n\
    ExecReload=/bin/kill -s HUP $MAINPID\nKillMode=mixed\n";

/// An application that cannot be loaded.
const BROKEN: &str = "raise RuntimeError('no configuration')\n";

/// A machine with gunicorn, and a repository for the site.
struct Server {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let machine = Machine::builder("web1").packages("gunicorn", ["gunicorn", "git", "curl"]);
        let server = Self {
            network: MachineNetwork::builder().machine(machine).start(),
            tree: tempfile::tempdir().expect("a writable directory"),
        };
        server.machine().run("install -d -o deploy /srv/shop && usermod --append --groups systemd-journal deploy");
        GitServer::git(server.tree.path(), &["init", "--quiet"]);
        server
    }

    fn machine(&self) -> &Machine {
        self.network.machine("web1")
    }

    /// Installs a unit as a service of the system, as root.
    fn install_unit(&self, unit: &str) {
        let unit = unit.replace("[Service]\n", "[Service]\nUser=deploy\n");
        let path = "/etc/systemd/system/shop.service";
        self.machine().run(cmd!("printf %s {unit} > {path} && systemctl daemon-reload").as_str());
    }

    /// Commits an application, and deploys it.
    async fn deploy(&self, site: Site, application: &str) -> Result<String> {
        let tree = self.tree.path();
        std::fs::write(tree.join("shop.py"), application)?;
        GitServer::git(tree, &["add", "--all"]);
        GitServer::git(tree, &["commit", "--quiet", "--allow-empty", "--message", "Change the shop"]);
        let (client, _) = client(&self.network, Mode::Run);
        let source = Git::from_local(tree.display().to_string()).branch("main").without_deployed_tags();
        let deployed = site.source(source).deploy(Group::of(&client, ["web1"])?).await;
        client.close().await;
        Ok(deployed?.release.to_string())
    }

    /// Asserts that the machine serves a version of the application.
    #[track_caller]
    fn assert_serves(&self, version: &str, release: &str) {
        assert_eq!(self.machine().run("curl -fsS http://127.0.0.1:8000/"), format!("{version} {release}\n"));
        let live = self.machine().run("readlink /srv/shop/current");
        assert_eq!(Path::new(live.trim()).file_name().and_then(|name| name.to_str()), Some(release));
    }

    fn main_pid(&self) -> String {
        self.machine().run("systemctl show --property=MainPID --value shop")
    }
}

fn version(name: &str) -> String {
    APPLICATION.replace("VERSION", name)
}

fn site() -> Site {
    let health = HealthCheck::get("http://127.0.0.1:8000/").contains_release();
    Site::new("/srv/shop").health(health)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_the_main_process_and_a_restart_replaces_it() -> Result {
    let server = Server::start();
    server.install_unit(UNIT);
    // The first deploy starts the service.
    let first = server.deploy(site().with(Systemd::reload("shop")), &version("one")).await?;
    server.assert_serves("one", &first);
    let started = server.main_pid();
    let second = server.deploy(site().with(Systemd::reload("shop")), &version("two")).await?;
    server.assert_serves("two", &second);
    assert_eq!(server.main_pid(), started);
    let third = server.deploy(site().with(Systemd::restart("shop")), &version("three")).await?;
    server.assert_serves("three", &third);
    assert_ne!(server.main_pid(), started);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_to_start_reverts_the_deploy() -> Result {
    let server = Server::start();
    let check = "ExecStartPre=/usr/bin/env -C /srv/shop/current /usr/bin/python3 -c 'import shop'\n";
    server.install_unit(&format!("{UNIT}{check}"));
    let first = server.deploy(site().with(Systemd::restart("shop")), &version("one")).await?;
    let failed = server.deploy(site().with(Systemd::restart("shop")), BROKEN).await;
    let error = failed.unwrap_err().into_error();
    let block = error.block().to_string();
    assert!(block.contains("systemctl restart shop"), "{block}");
    // The login user belongs to the group `systemd-journal`.
    assert!(block.contains("last lines of the journal of `shop` since the switch"), "{block}");
    assert!(block.contains("RuntimeError: no configuration"), "{block}");
    server.assert_serves("one", &first);
    assert_eq!(server.machine().run("systemctl is-active shop"), "active\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_after_its_reload_is_started_by_the_revert() -> Result {
    let server = Server::start();
    server.install_unit(UNIT);
    let first = server.deploy(site().with(Systemd::reload("shop")), &version("one")).await?;
    // The workers of gunicorn cannot load the release, so gunicorn ends.
    server.deploy(site().with(Systemd::reload("shop")), BROKEN).await.unwrap_err();
    server.assert_serves("one", &first);
    assert_eq!(server.machine().run("systemctl is-active shop"), "active\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_systemd_starts_again_and_again_is_reverted() -> Result {
    let server = Server::start();
    server.install_unit(&format!("{UNIT}Restart=always\nRestartSec=100ms\n"));
    let first = server.deploy(site().with(Systemd::reload("shop")), &version("one")).await?;
    server.deploy(site().with(Systemd::reload("shop")), BROKEN).await.unwrap_err();
    server.assert_serves("one", &first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_the_login_user_is_reloaded_without_sudo() -> Result {
    let server = Server::start();
    let unit = "/home/deploy/.config/systemd/user/shop.service";
    let install = cmd!("install -D -o deploy -m 0644 /dev/stdin {unit} && loginctl enable-linger deploy");
    let install = format!("printf %s {} | {}", shlex::try_quote(UNIT).context("no NUL")?, install.as_str());
    server.machine().run(&install);
    server.machine().run("rm /etc/sudoers.d/deploy");
    let manager = "systemctl is-active user@$(id -u deploy).service || true";
    wait_until("the user manager is active", LIMIT, || server.machine().run(manager) == "active\n");
    let services = || Systemd::reload("shop").user_service();
    for name in ["one", "two"] {
        let release = server.deploy(site().with(services()), &version(name)).await?;
        server.assert_serves(name, &release);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn gunicorn_with_a_pid_file_is_started_reloaded_and_started_after_a_power_cut() -> Result {
    let server = Server::start();
    let start =
        "gunicorn --daemon --pid ../../shared/gunicorn.pid --chdir /srv/shop/current --bind 127.0.0.1:8000 shop";
    let gunicorn = || Gunicorn::pid_file("../../shared/gunicorn.pid").start(start);
    server.machine().run("install -d -o deploy /srv/shop/shared");
    let first = server.deploy(site().with(gunicorn()), &version("one")).await?;
    server.assert_serves("one", &first);
    let pid = || server.machine().run("cat /srv/shop/shared/gunicorn.pid");
    let started = pid();
    let second = server.deploy(site().with(gunicorn()), &version("two")).await?;
    server.assert_serves("two", &second);
    assert_eq!(pid(), started);

    server.machine().power_cut();
    server.machine().power_on();
    server.machine().wait_until_up();
    // The pid file remains. Another process has its number now.
    let other = server.machine().run("runuser -u deploy -- sh -c 'sleep 3600 > /dev/null 2>&1 & echo $!'");
    let other = other.trim();
    server.machine().run(cmd!("echo {other} > /srv/shop/shared/gunicorn.pid").as_str());
    let third = server.deploy(site().with(gunicorn()), &version("three")).await?;
    server.assert_serves("three", &third);
    server.machine().run(cmd!("kill -0 {other}").as_str());
    Ok(())
}
