//! A canary on machines that serve requests: a failing gate reverts the canary, and no request
//! fails.

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{Canary, Git, HealthCheck, HttpGate, LogErrors, Site, Systemd};
use fabrs_testing::{GitServer, Machine, MachineNetwork};

use crate::fixture::client;

const NAMES: [&str; 2] = ["web1", "web2"];

/// An application that responds with its version. The path `/price` depends on the version.
const APPLICATION: &str = "import sys\n\
    def application(environ, start_response):\n    \
    if environ['PATH_INFO'] == '/price':\n        \
    PRICE\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [b'VERSION\\n']\n";

/// A unit of gunicorn. The start is complete when gunicorn listens.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\nExecReload=/bin/kill -s HUP $MAINPID\n\
    ExecStart=/usr/bin/gunicorn --workers 2 --chdir /srv/shop/current --bind 127.0.0.1:8000 shop\n";

/// Requests the application again and again. Failed requests are written to a file.
const LOAD: &str =
    "while :; do curl -fsS -m 10 http://127.0.0.1:8000/ > /dev/null 2>> /srv/failed && echo >> /srv/good; done";

/// Two machines with gunicorn, and a repository for the site.
struct Shop {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Shop {
    fn start() -> Self {
        let mut network = MachineNetwork::builder();
        for name in NAMES {
            network = network.machine(Machine::builder(name).packages("gunicorn", ["gunicorn", "git", "curl"]));
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        for name in NAMES {
            let path = "/etc/systemd/system/shop.service";
            let install =
                cmd!("printf %s {UNIT} > {path} && systemctl daemon-reload && install -d -o deploy /srv/shop");
            let machine = shop.network.machine(name);
            machine.run(install.as_str());
            machine.run("usermod --append --groups systemd-journal deploy");
        }
        shop
    }

    /// Commits a version of the application, and deploys it with a canary.
    async fn deploy(&self, version: &str, price: &str) -> Result<String, Error> {
        let application = APPLICATION.replace("VERSION", version).replace("PRICE", price);
        std::fs::write(self.tree.path().join("shop.py"), application).expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--message", version]);
        let (client, _) = client(&self.network, Mode::Run);
        let canary = Canary::hosts(1)
            .watch(secs(2))
            .every(secs(1))
            .gate(HttpGate::get("http://127.0.0.1:8000/price"))
            .gate(LogErrors::journal("shop"));
        let site = Site::new("/srv/shop")
            .source(Git::from_local(self.tree.path().display().to_string()).branch("main").without_deployed_tags())
            .with(Systemd::reload("shop"))
            .health(HealthCheck::get("http://127.0.0.1:8000/").contains(version))
            .strategy(canary);
        let deployed = site.deploy(Group::of(&client, NAMES).expect("the names are hosts")).await;
        client.close().await;
        Ok(deployed.map_err(TaskError::into_error)?.release.to_string())
    }

    /// Asserts that all machines serve a version, and that no request of the load has failed.
    #[track_caller]
    fn assert_served(&self, version: &str, release: &str) {
        for name in NAMES {
            let machine = self.network.machine(name);
            assert_eq!(machine.run("curl -fsS http://127.0.0.1:8000/"), format!("{version}\n"), "{name}");
            assert_eq!(machine.run("basename $(readlink /srv/shop/current)"), format!("{release}\n"), "{name}");
            assert_eq!(machine.run("cat /srv/failed"), "", "{name}");
            assert_ne!(machine.run("wc -l < /srv/good"), "0\n", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_gate_reverts_the_canary_and_no_request_fails() {
    let shop = Shop::start();
    let first = shop.deploy("one", "pass").await.unwrap();
    for name in NAMES {
        let load = cmd!("touch /srv/good /srv/failed && systemd-run --quiet --unit load sh -c {LOAD}");
        shop.network.machine(name).run(load.as_str());
    }
    shop.assert_served("one", &first);

    let error = shop.deploy("two", "raise ValueError('no price')").await.unwrap_err();
    let block = error.block().to_string();
    assert!(block.contains("web1: gate failed: http://127.0.0.1:8000/price: status 500 instead of 200"), "{block}");
    assert!(block.contains("ValueError: no price"), "the journal explains the failure: {block}");
    shop.assert_served("one", &first);
    let switches = |name: &str| shop.network.machine(name).run("wc -l < /srv/shop/revisions.log");
    assert_eq!(NAMES.map(switches), ["3\n", "1\n"], "only the canary was switched");

    let error = shop.deploy("three", "print('ERROR: no price', file=sys.stderr)").await.unwrap_err();
    assert!(error.message().contains("gate failed: errors in the journal of `shop`"), "{}", error.block());
    shop.assert_served("one", &first);

    let fourth = shop.deploy("four", "pass").await.unwrap();
    shop.assert_served("four", &fourth);
}
