//! A blue-green site on machines behind nginx: there and back under continuous requests, no request
//! fails, and workers run on the live side only.

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{BlueGreen, Git, HealthCheck, NginxUpstream, Site};
use fabrs_testing::{GitServer, Machine, MachineNetwork};

use crate::fixture::client;

const NAMES: [&str; 2] = ["web1", "web2"];

/// An application that responds with its version. Each request takes some time.
const APPLICATION: &str = "import time\n\
    def application(environ, start_response):\n    \
    time.sleep(0.05)\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [b'VERSION\\n']\n";

/// The application of a side. The start is complete when gunicorn listens.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\n\
    ExecStart=/bin/sh -c 'case %i in blue) port=8001 ;; *) port=8002 ;; esac; \
    exec gunicorn --workers 2 --chdir /srv/shop/%i --bind 0.0.0.0:$$port shop'\n";

/// The worker of a side.
const WORKER: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

/// The servers of both sides. No release is live yet.
const UPSTREAM: &str = "upstream shop {\n    server web1:8001 max_fails=0;\n    server web1:8002 max_fails=0 down;\n    \
    server web2:8001 max_fails=0;\n    server web2:8002 max_fails=0 down;\n}\n";

const SITE: &str = "server {\n    listen 127.0.0.1:8080;\n    \
    location / { proxy_pass http://shop; proxy_next_upstream off; }\n}\n";

/// Requests the application again and again. Failed requests are written to a file.
const LOAD: &str = "while :; do curl -fsS -m 10 http://127.0.0.1:8080/ >> /srv/good 2>> /srv/failed; done";

/// Two machines with gunicorn, a balancer, and a repository for the site.
struct Shop {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Shop {
    fn start() -> Self {
        let mut network = MachineNetwork::builder();
        for name in ["web1", "web2", "lb1"] {
            let machine = Machine::builder(name).packages("nginx", ["gunicorn", "git", "curl", "nginx-light"]);
            network = network.machine(machine);
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        for name in NAMES {
            let units = "/etc/systemd/system";
            let install = cmd!(
                "printf %s {UNIT} > {units}/shop@.service && printf %s {WORKER} > {units}/shop-worker@.service && \
                 systemctl daemon-reload && install -d -o deploy /srv/shop"
            );
            shop.network.machine(name).run(install.as_str());
        }
        let nginx = "/etc/nginx/conf.d";
        let install = cmd!(
            "printf %s {UPSTREAM} > {nginx}/upstream.conf && printf %s {SITE} > {nginx}/site.conf && \
             systemctl restart nginx"
        );
        shop.network.machine("lb1").run(install.as_str());
        shop
    }

    fn site(&self) -> Site {
        let nginx = NginxUpstream::file("/etc/nginx/conf.d/upstream.conf").on(["lb1"]).sudo();
        let strategy = BlueGreen::ports(8001, 8002).service("shop@{color}").worker("shop-worker@{color}").switch(nginx);
        Site::new("/srv/shop")
            .source(Git::from_local(self.tree.path().display().to_string()).branch("main").without_deployed_tags())
            .health(HealthCheck::get("http://127.0.0.1:{port}/"))
            .strategy(strategy)
    }

    /// Commits a version of the application, and deploys it.
    async fn deploy(&self, version: &str) -> Result<(), Error> {
        std::fs::write(self.tree.path().join("shop.py"), version).expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--message", "next"]);
        let (client, _) = client(&self.network, Mode::Run);
        let deployed = self.site().deploy(Group::of(&client, NAMES).expect("the names are hosts")).await;
        client.close().await;
        deployed.map(drop).map_err(TaskError::into_error)
    }

    async fn roll_back(&self) -> Result<(), Error> {
        let (client, _) = client(&self.network, Mode::Run);
        let back = self.site().rollback(Group::of(&client, NAMES).expect("the names are hosts")).await;
        client.close().await;
        back.map(drop).map_err(TaskError::into_error)
    }

    /// Asserts the served version, the units of both sides, and that no request has failed.
    #[track_caller]
    fn assert_live(&self, version: &str, units: &str) {
        let balancer = self.network.machine("lb1");
        for _ in 0..4 {
            assert_eq!(balancer.run("curl -fsS http://127.0.0.1:8080/"), format!("{version}\n"));
        }
        for name in NAMES {
            let names = "shop@blue shop@green shop-worker@blue shop-worker@green";
            let states = self.network.machine(name).run(&format!("systemctl is-active {names} || :"));
            assert_eq!(states.split_whitespace().collect::<Vec<_>>().join(" "), units, "{name}");
        }
        assert_eq!(balancer.run("cat /srv/failed 2> /dev/null || :"), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blue_green_site_is_switched_there_and_back_and_no_request_fails() {
    let version = |version: &str| APPLICATION.replace("VERSION", version);
    let shop = Shop::start();
    shop.deploy(&version("one")).await.unwrap();
    shop.assert_live("one", "active inactive active inactive");
    let balancer = shop.network.machine("lb1");
    let load = cmd!("touch /srv/good /srv/failed && for n in 1 2 3 4; do systemd-run --quiet sh -c {LOAD}; done");
    balancer.run(load.as_str());

    shop.deploy(&version("two")).await.unwrap();
    shop.assert_live("two", "active active inactive active");
    shop.roll_back().await.unwrap();
    shop.assert_live("one", "active active active inactive");
    shop.deploy("raise ValueError('no price')").await.unwrap_err();
    shop.assert_live("one", "active failed active inactive");
    shop.deploy(&version("three")).await.unwrap();
    shop.assert_live("three", "active active inactive active");
    assert_eq!(balancer.run("sort -u /srv/good"), "one\nthree\ntwo\n", "requests of every version");
    assert_eq!(balancer.run("cat /srv/failed"), "");
}
