//! Growing batches on machines behind HAProxy: each batch is larger than the batch before, and no
//! request fails.

use fabrs::config::Mode;
use fabrs_deploy::{HealthCheck, Site, Systemd};

use crate::balanced;
use crate::fixture::client;
use crate::shop::{Shop, application};

const NAMES: [&str; 4] = ["web1", "web2", "web3", "web4"];

/// Returns a site with one host in the first batch, and then half of the hosts.
fn site(shop: &Shop) -> Site {
    shop.site()
        .with(Systemd::restart("shop"))
        .health(HealthCheck::get("http://127.0.0.1:8000/"))
        .batches(["1", "50%"])
        .balancer(balanced::balancer())
}

/// Commits the code of a version, and deploys it. Returns the hosts of each batch, and the error.
async fn deploy(shop: &Shop, code: &str) -> (Vec<String>, Option<String>) {
    shop.commit(code);
    let (client, capture) = client(&shop.network, Mode::Run);
    let deployed = site(shop).deploy(shop.group(&client)).await;
    client.close().await;
    let batches = capture.of_kind("phase_started").into_iter().filter(|phase| {
        let name = phase["name"].as_str().unwrap_or_default();
        name.starts_with("batch ")
    });
    let hosts = batches.map(|phase| phase["hosts"].to_string()).collect();
    (hosts, deployed.err().map(|error| error.into_error().block().to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn growing_batches_with_restarts_fail_no_request_and_a_bad_second_batch_reverts_the_first() {
    let shop = balanced::start(&NAMES);
    deploy(&shop, &application("one")).await;
    balanced::start_load(&shop);
    let (batches, error) = deploy(&shop, &application("two")).await;
    assert_eq!(
        (&*batches, error),
        (&[r#"["web1"]"#, r#"["web2","web3"]"#, r#"["web4"]"#].map(str::to_owned)[..], None)
    );
    balanced::assert_served(&shop, "one two", "two");

    // The third version starts on the first host only. Its restart fails on the other hosts.
    shop.network.machine("web1").run("touch /srv/first");
    let broken = format!("import os\nassert os.path.exists('/srv/first')\n{}", application("three"));
    let (batches, error) = deploy(&shop, &broken).await;
    assert_eq!(batches.len(), 2, "{error:?}");
    assert!(error.as_ref().is_some_and(|block| block.contains("web2") || block.contains("web3")), "{error:?}");
    balanced::assert_served(&shop, "one three two", "two");

    assert_eq!(deploy(&shop, &application("four")).await.1, None);
    balanced::assert_served(&shop, "four one three two", "four");
}
