//! A shop behind HAProxy, under a load of requests. A failed request is never repeated.

use fabrs::prelude::*;
use fabrs_deploy::HaProxy;

use crate::shop::Shop;

/// A unit of gunicorn. A restart rejects requests, and a reload rejects none.
const UNIT: &str = "[Service]\nType=notify\nUser=deploy\nKillMode=mixed\nExecReload=/bin/kill -s HUP $MAINPID\n\
    ExecStart=/usr/bin/gunicorn --workers 2 --chdir /srv/shop/current --bind 0.0.0.0:8000 shop\n\
    [Install]\nWantedBy=multi-user.target\n";

/// A balancer without retries: a request to a stopped server fails.
const BALANCER: &str = "global\n    stats socket /run/shop-lb.sock mode 666 level admin\n\
    defaults\n    mode http\n    retries 0\n    timeout connect 5s\n    timeout client 1m\n    timeout server 1m\n\
    frontend web\n    bind 127.0.0.1:80\n    default_backend shop\n\
    backend shop\n";

/// Requests the application again and again. Failed requests are written to a file.
const LOAD: &str = "while :; do curl -fsS -m 10 http://127.0.0.1/ >> /srv/good 2>> /srv/failed; done";

/// Boots machines with gunicorn, and the balancer `lb1`.
pub(crate) fn start(web: &[&str]) -> Shop {
    let packages = ["gunicorn", "git", "curl", "haproxy", "socat"];
    let shop = Shop::start(&[web, &["lb1"]].concat(), "haproxy", &packages, &[("shop.service", UNIT)]);
    let servers = web.iter().map(|name| format!("    server {name} {name}:8000\n")).collect::<Vec<_>>().concat();
    let config = format!("{BALANCER}{servers}");
    let install = cmd!("printf %s {config} > /etc/haproxy/haproxy.cfg && systemctl restart haproxy");
    shop.network.machine("lb1").run(install.as_str());
    shop
}

/// Returns the balancer of the shop.
pub(crate) fn balancer() -> HaProxy {
    HaProxy::socket("/run/shop-lb.sock").backend("shop").on(["lb1"])
}

/// Starts continuous requests on the balancer.
pub(crate) fn start_load(shop: &Shop) {
    let load = cmd!("touch /srv/good /srv/failed && for n in 1 2 3 4; do systemd-run --quiet sh -c {LOAD}; done");
    shop.network.machine("lb1").run(load.as_str());
}

/// Returns the number of answered requests.
pub(crate) fn answered(shop: &Shop) -> usize {
    shop.network.machine("lb1").run("wc -l < /srv/good").trim().parse().expect("a number")
}

/// Asserts the versions in all responses so far, the current version, and that no request has
/// failed.
#[track_caller]
pub(crate) fn assert_served(shop: &Shop, versions: &str, current: &str) {
    let balancer = shop.network.machine("lb1");
    assert_eq!(balancer.run("cat /srv/failed"), "");
    assert_eq!(balancer.run("sort -u /srv/good").lines().collect::<Vec<_>>().join(" "), versions);
    for _ in shop.web() {
        assert_eq!(balancer.run("curl -fsS http://127.0.0.1/"), format!("{current}\n"));
    }
}
