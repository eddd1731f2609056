//! A deploy with drains on machines behind HAProxy: under continuous requests, no request fails.

use fabrs::Error;
use fabrs::prelude::*;
use fabrs_deploy::{HaProxy, HealthCheck, Systemd};

use crate::shop::{Shop, application};

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

/// Boots two machines with gunicorn, and a balancer.
fn start() -> Shop {
    let packages = ["gunicorn", "git", "curl", "haproxy", "socat"];
    let shop = Shop::start(&["web1", "web2", "lb1"], "haproxy", &packages, &[("shop.service", UNIT)]);
    let install = cmd!("printf %s {BALANCER} > /etc/haproxy/haproxy.cfg && systemctl restart haproxy");
    shop.network.machine("lb1").run(install.as_str());
    shop
}

/// Commits a version of the application, and deploys it.
async fn deploy(shop: &Shop, version: &str) -> Result<String, Error> {
    shop.commit(&application(version));
    let site = shop
        .site()
        .with(Systemd::restart("shop"))
        .health(HealthCheck::get("http://127.0.0.1:8000/").contains(version))
        .rolling(1)
        .balancer(HaProxy::socket("/run/shop-lb.sock").backend("shop").on(["lb1"]));
    shop.deploy(site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_during_a_deploy_that_restarts_each_host() {
    let shop = start();
    deploy(&shop, "one").await.unwrap();
    let balancer = shop.network.machine("lb1");
    balancer.run(
        cmd!("touch /srv/good /srv/failed && for n in 1 2 3 4; do systemd-run --quiet sh -c {LOAD}; done").as_str(),
    );
    deploy(&shop, "two").await.unwrap();
    deploy(&shop, "three").await.unwrap();
    assert_eq!(balancer.run("cat /srv/failed"), "");
    assert_eq!(balancer.run("sort -u /srv/good"), "one\nthree\ntwo\n", "requests of every version");
    assert_eq!(balancer.run("curl -fsS http://127.0.0.1/"), "three\n");
}
