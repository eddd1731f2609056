//! Deploys and reverts with drains on machines behind HAProxy: under continuous requests, no
//! request fails.

use fabrs::Error;
use fabrs::prelude::*;
use fabrs_deploy::{App, HealthCheck, Systemd};

use crate::balanced;
use crate::shop::{NAMES, Shop, application};

/// The version that fails its health check on web2.
const BAD: &str = "four";

/// Loads the application before gunicorn accepts requests, so that a start takes a second or more.
const PRELOAD: &str = "[Service]\nEnvironment=GUNICORN_CMD_ARGS=--preload\n";

/// Commits a version of the application with a slow start, and deploys it.
async fn deploy(shop: &Shop, version: &str) -> Result<String, Error> {
    shop.commit(&format!("import threading\nthreading.Event().wait(1)\n{}", application(version)));
    let site = shop
        .site()
        .with(Systemd::restart("shop"))
        .health(HealthCheck::get("http://127.0.0.1:8000/"))
        .health(|app: App| async move {
            let is_web2 = app.connection().host().is_some_and(|host| host.to_string() == "web2");
            let is_bad = probe("curl -fsS http://127.0.0.1:8000/").line().await? == BAD;
            ensure!(!(is_web2 && is_bad), "the shop does not answer");
            Ok::<(), TaskError>(())
        })
        .rolling(1)
        .balancer(balanced::balancer());
    shop.deploy(site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_during_deploys_and_the_revert_of_a_failed_second_batch() {
    let shop = balanced::start(&NAMES);
    for machine in shop.web() {
        let install = cmd!(
            "mkdir -p /etc/systemd/system/shop.service.d && \
             printf %s {PRELOAD} > /etc/systemd/system/shop.service.d/preload.conf && systemctl daemon-reload"
        );
        machine.run(install.as_str());
    }
    deploy(&shop, "one").await.unwrap();
    balanced::start_load(&shop);
    deploy(&shop, "two").await.unwrap();
    deploy(&shop, "three").await.unwrap();
    let error = deploy(&shop, BAD).await.expect_err("web2 fails");
    assert!(error.message().contains("the shop does not answer"), "{}", error.block());
    balanced::assert_served(&shop, "four one three two", "three");
}
