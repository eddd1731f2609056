//! A held release on machines behind HAProxy, under continuous requests: no response has the new
//! version before the promotion, and no request fails.

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{HealthCheck, Site, Systemd};
use fabrs_testing::wait_until;

use crate::balanced;
use crate::fixture::{LIMIT, client};
use crate::shop::{NAMES, Shop, application};

fn site(shop: &Shop) -> Site {
    shop.site()
        .with(Systemd::restart("shop"))
        .health(HealthCheck::get("http://127.0.0.1:8000/"))
        .rolling(1)
        .balancer(balanced::balancer())
}

/// Waits for further responses, at least one of each host.
#[track_caller]
fn wait_for_responses(shop: &Shop) {
    let before = balanced::answered(shop);
    wait_until("further requests are answered", LIMIT, || balanced::answered(shop) > before + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_response_has_a_held_release_before_its_promotion_and_no_request_fails() -> Result {
    let shop = balanced::start(&NAMES);
    let (client, _) = client(&shop.network, Mode::Run);
    shop.commit(&application("one"));
    let first = site(&shop).deploy(shop.group(&client)).await?;
    balanced::start_load(&shop);

    shop.commit(&application("two"));
    let held = site(&shop).deploy(shop.group(&client)).hold().await?;
    // A reload loads the live release.
    shop.network.machine("web1").run("systemctl reload shop");
    wait_for_responses(&shop);
    balanced::assert_served(&shop, "one", "one");
    let status = site(&shop).read_status(shop.group(&client)).await?;
    assert!(status.hosts.iter().all(|host| host.live.as_ref() == Some(&first.release)), "{status:?}");

    let promoted = site(&shop).promote(shop.group(&client)).await?;
    assert_eq!(promoted.release, held.release);
    balanced::assert_served(&shop, "one two", "two");

    shop.commit(&application("three"));
    site(&shop).deploy(shop.group(&client)).hold().await?;
    wait_for_responses(&shop);
    site(&shop).abort(shop.group(&client)).await?;
    balanced::assert_served(&shop, "one two", "two");
    client.close().await;
    Ok(())
}
