//! A deploy with drains on machines behind HAProxy: under continuous requests, no request fails.

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{Git, HaProxy, HealthCheck, Site, Systemd};
use fabrs_testing::{GitServer, Machine, MachineNetwork};

use crate::fixture::client;

const NAMES: [&str; 2] = ["web1", "web2"];

/// An application that responds with its version. Each request takes some time.
const APPLICATION: &str = "import time\n\
    def application(environ, start_response):\n    \
    time.sleep(0.05)\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [b'VERSION\\n']\n";

/// A unit of gunicorn without a reload: a restart rejects requests.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\n\
    ExecStart=/usr/bin/gunicorn --workers 2 --chdir /srv/shop/current --bind 0.0.0.0:8000 shop\n";

/// A balancer without retries: a request to a stopped server fails.
const BALANCER: &str = "global\n    stats socket /run/shop-lb.sock mode 666 level admin\n\
    defaults\n    mode http\n    retries 0\n    timeout connect 5s\n    timeout client 1m\n    timeout server 1m\n\
    frontend web\n    bind 127.0.0.1:80\n    default_backend shop\n\
    backend shop\n    server web1 web1:8000\n    server web2 web2:8000\n";

/// Requests the application again and again. Failed requests are written to a file.
const LOAD: &str = "while :; do curl -fsS -m 10 http://127.0.0.1/ >> /srv/good 2>> /srv/failed; done";

/// Two machines with gunicorn, a balancer, and a repository for the site.
struct Shop {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Shop {
    fn start() -> Self {
        let packages = ["gunicorn", "git", "curl", "haproxy", "socat"];
        let mut network = MachineNetwork::builder();
        for name in ["web1", "web2", "lb1"] {
            network = network.machine(Machine::builder(name).packages("haproxy", packages));
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        for name in NAMES {
            let path = "/etc/systemd/system/shop.service";
            let install =
                cmd!("printf %s {UNIT} > {path} && systemctl daemon-reload && install -d -o deploy /srv/shop");
            shop.network.machine(name).run(install.as_str());
        }
        shop.network
            .machine("lb1")
            .run(cmd!("printf %s {BALANCER} > /etc/haproxy/haproxy.cfg && systemctl restart haproxy").as_str());
        shop
    }

    /// Commits a version of the application, and deploys it.
    async fn deploy(&self, version: &str) -> Result<(), Error> {
        std::fs::write(self.tree.path().join("shop.py"), APPLICATION.replace("VERSION", version))
            .expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--message", version]);
        let (client, _) = client(&self.network, Mode::Run);
        let site = Site::new("/srv/shop")
            .source(Git::from_local(self.tree.path().display().to_string()).branch("main").without_deployed_tags())
            .with(Systemd::restart("shop"))
            .health(HealthCheck::get("http://127.0.0.1:8000/").contains(version))
            .rolling(1)
            .balancer(HaProxy::socket("/run/shop-lb.sock").backend("shop").on(["lb1"]));
        let deployed = site.deploy(Group::of(&client, NAMES).expect("the names are hosts")).await;
        client.close().await;
        deployed.map(drop).map_err(TaskError::into_error)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_during_a_deploy_that_restarts_each_host() {
    let shop = Shop::start();
    shop.deploy("one").await.unwrap();
    let balancer = shop.network.machine("lb1");
    balancer.run(
        cmd!("touch /srv/good /srv/failed && for n in 1 2 3 4; do systemd-run --quiet sh -c {LOAD}; done").as_str(),
    );
    shop.deploy("two").await.unwrap();
    shop.deploy("three").await.unwrap();
    assert_eq!(balancer.run("cat /srv/failed"), "");
    assert_eq!(balancer.run("sort -u /srv/good"), "one\nthree\ntwo\n", "requests of every version");
    assert_eq!(balancer.run("curl -fsS http://127.0.0.1/"), "three\n");
}
