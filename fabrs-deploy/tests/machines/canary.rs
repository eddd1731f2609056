//! A canary on machines that serve requests: a failing gate reverts the canary, and no request
//! fails.

use fabrs::Error;
use fabrs::prelude::*;
use fabrs_deploy::{Canary, HealthCheck, HttpGate, LogErrors, Systemd};

use crate::shop::{NAMES, Shop};

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

/// Boots two machines with gunicorn.
fn start() -> Shop {
    let shop = Shop::start(&NAMES, "gunicorn", &["gunicorn", "git", "curl"], &[("shop.service", UNIT)]);
    for machine in shop.network.machines() {
        machine.run("usermod --append --groups systemd-journal deploy");
    }
    shop
}

/// Commits a version of the application, and deploys it with a canary.
async fn deploy(shop: &Shop, version: &str, price: &str) -> Result<String, Error> {
    shop.commit(&APPLICATION.replace("VERSION", version).replace("PRICE", price));
    let canary = Canary::hosts(1)
        .watch(secs(2))
        .every(secs(1))
        .gate(HttpGate::get("http://127.0.0.1:8000/price"))
        .gate(LogErrors::journal("shop"));
    let health = HealthCheck::get("http://127.0.0.1:8000/").contains(version);
    shop.deploy(shop.site().with(Systemd::reload("shop")).health(health).strategy(canary)).await
}

/// Asserts that all machines serve a version, and that no request of the load has failed.
#[track_caller]
fn assert_served(shop: &Shop, version: &str, release: &str) {
    for name in NAMES {
        let machine = shop.network.machine(name);
        assert_eq!(machine.run("curl -fsS http://127.0.0.1:8000/"), format!("{version}\n"), "{name}");
        assert_eq!(machine.run("basename $(readlink /srv/shop/current)"), format!("{release}\n"), "{name}");
        assert_eq!(machine.run("cat /srv/failed"), "", "{name}");
        assert_ne!(machine.run("wc -l < /srv/good"), "0\n", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_gate_reverts_the_canary_and_no_request_fails() {
    let shop = start();
    let first = deploy(&shop, "one", "pass").await.unwrap();
    for name in NAMES {
        let load = cmd!("touch /srv/good /srv/failed && systemd-run --quiet --unit load sh -c {LOAD}");
        shop.network.machine(name).run(load.as_str());
    }
    assert_served(&shop, "one", &first);

    let error = deploy(&shop, "two", "raise ValueError('no price')").await.unwrap_err();
    let block = error.block().to_string();
    assert!(block.contains("web1: gate failed: http://127.0.0.1:8000/price: status 500 instead of 200"), "{block}");
    assert!(block.contains("ValueError: no price"), "the journal explains the failure: {block}");
    assert_served(&shop, "one", &first);
    let switches = |name: &str| shop.network.machine(name).run("wc -l < /srv/shop/revisions.log");
    assert_eq!(NAMES.map(switches), ["3\n", "1\n"], "only the canary was switched");

    let error = deploy(&shop, "three", "print('ERROR: no price', file=sys.stderr)").await.unwrap_err();
    assert!(error.message().contains("gate failed: errors in the journal of `shop`"), "{}", error.block());
    assert_served(&shop, "one", &first);

    let fourth = deploy(&shop, "four", "pass").await.unwrap();
    assert_served(&shop, "four", &fourth);
}
