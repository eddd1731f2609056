//! A blue-green site on machines behind nginx: there and back under continuous requests, no request
//! fails, and workers run on the live side only.

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{BlueGreen, HealthCheck, NginxUpstream, Site};

use crate::fixture::client;
use crate::shop::{NAMES, Shop, application};

/// The application of a side. The start is complete when gunicorn listens.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\n\
    ExecStart=/bin/sh -c 'case %i in blue) port=8001 ;; *) port=8002 ;; esac; \
    exec gunicorn --workers 2 --chdir /srv/shop/%i --bind 0.0.0.0:$$port shop'\n\
    [Install]\nWantedBy=multi-user.target\n";

/// The worker of a side.
const WORKER: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

/// The file with the servers of both sides.
pub(crate) const UPSTREAM_FILE: &str = "/etc/nginx/conf.d/upstream.conf";

const SITE: &str = "server {\n    listen 127.0.0.1:8080;\n    \
    location / { proxy_pass http://shop; proxy_next_upstream off; }\n}\n";

/// Requests the application again and again. Failed requests are written to a file.
const LOAD: &str = "while :; do curl -fsS -m 10 http://127.0.0.1:8080/ >> /srv/good 2>> /srv/failed; done";

/// Boots machines with gunicorn, and the balancer `lb1`. No release is live yet.
pub(crate) fn start(web: &[&str]) -> Shop {
    let packages = ["gunicorn", "git", "curl", "nginx-light"];
    let units = [("shop@.service", UNIT), ("shop-worker@.service", WORKER)];
    let shop = Shop::start(&[web, &["lb1"]].concat(), "nginx", &packages, &units);
    let sides = web
        .iter()
        .map(|name| format!("    server {name}:8001 max_fails=0;\n    server {name}:8002 max_fails=0 down;\n"));
    let upstream = format!("upstream shop {{\n{}}}\n", sides.collect::<Vec<_>>().concat());
    let install = cmd!(
        "printf %s {upstream} > {UPSTREAM_FILE} && printf %s {SITE} > /etc/nginx/conf.d/site.conf && \
         systemctl restart nginx"
    );
    shop.network.machine("lb1").run(install.as_str());
    shop
}

fn site(shop: &Shop) -> Site {
    let nginx = NginxUpstream::file(UPSTREAM_FILE).on(["lb1"]).sudo();
    let strategy = BlueGreen::ports(8001, 8002).service("shop@{side}").worker("shop-worker@{side}").switch(nginx);
    shop.site().health(HealthCheck::get("http://127.0.0.1:{port}/")).strategy(strategy)
}

/// Commits the code of the application, and deploys it.
async fn deploy(shop: &Shop, code: &str) -> Result<String, Error> {
    shop.commit(code);
    shop.deploy(site(shop)).await
}

async fn roll_back(shop: &Shop) -> Result<(), Error> {
    let (client, _) = client(&shop.network, Mode::Run);
    let back = site(shop).rollback(Group::of(&client, NAMES)?).await;
    client.close().await;
    back.map(drop).map_err(TaskError::into_error)
}

/// Asserts the served version, the units of both sides, and that no request has failed.
#[track_caller]
fn assert_live(shop: &Shop, version: &str, units: &str) {
    let balancer = shop.network.machine("lb1");
    for _ in 0..4 {
        assert_eq!(balancer.run("curl -fsS http://127.0.0.1:8080/"), format!("{version}\n"));
    }
    for name in NAMES {
        let names = "shop@blue shop@green shop-worker@blue shop-worker@green";
        let states = shop.network.machine(name).run(&format!("systemctl is-active {names} || :"));
        assert_eq!(states.split_whitespace().collect::<Vec<_>>().join(" "), units, "{name}");
    }
    assert_eq!(balancer.run("cat /srv/failed 2> /dev/null || :"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blue_green_site_is_switched_there_and_back_and_no_request_fails() {
    let shop = start(&NAMES);
    deploy(&shop, &application("one")).await.unwrap();
    assert_live(&shop, "one", "active inactive active inactive");
    let balancer = shop.network.machine("lb1");
    let load = cmd!("touch /srv/good /srv/failed && for n in 1 2 3 4; do systemd-run --quiet sh -c {LOAD}; done");
    balancer.run(load.as_str());

    deploy(&shop, &application("two")).await.unwrap();
    assert_live(&shop, "two", "active active inactive active");
    roll_back(&shop).await.unwrap();
    assert_live(&shop, "one", "active active active inactive");
    deploy(&shop, "raise ValueError('no price')").await.unwrap_err();
    assert_live(&shop, "one", "active failed active inactive");
    deploy(&shop, &application("three")).await.unwrap();
    assert_live(&shop, "three", "active active inactive active");
    assert_eq!(balancer.run("sort -u /srv/good"), "one\nthree\ntwo\n", "requests of every version");
    assert_eq!(balancer.run("cat /srv/failed"), "");
}
