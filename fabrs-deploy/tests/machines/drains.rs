//! A deploy with drains on machines behind HAProxy: under continuous requests, no request fails.

use fabrs::Error;
use fabrs::prelude::*;
use fabrs_deploy::{HealthCheck, Systemd};

use crate::balanced;
use crate::shop::{NAMES, Shop, application};

/// Commits a version of the application, and deploys it.
async fn deploy(shop: &Shop, version: &str) -> Result<String, Error> {
    shop.commit(&application(version));
    let site = shop
        .site()
        .with(Systemd::restart("shop"))
        .health(HealthCheck::get("http://127.0.0.1:8000/").contains(version))
        .rolling(1)
        .balancer(balanced::balancer());
    shop.deploy(site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_during_a_deploy_that_restarts_each_host() {
    let shop = balanced::start(&NAMES);
    deploy(&shop, "one").await.unwrap();
    balanced::start_load(&shop);
    deploy(&shop, "two").await.unwrap();
    deploy(&shop, "three").await.unwrap();
    balanced::assert_served(&shop, "one three two", "three");
}
