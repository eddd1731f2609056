//! Hosts outside their balancer after a fault: the next deploy returns them first, and `status`
//! lists them. Balancers without hosts.

use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;
use fabrs_deploy::{App, BlueGreen, HaProxy, ReleaseId, Site};

use crate::drains::{Balanced, list, recording, take};
use crate::fixture::{Fixture, all, is_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_returns_before_the_last_active_host_is_drained() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let pair = || Group::of(&client, ["web1", "web2"]);
    balanced.fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = balanced.site().deploy(pair()?).await?.release.to_string();
    balanced.fixture.origin.build("deployable-2", &[("version", "two")]);
    let broken = balanced.site().health(|app: App| async move {
        ensure!(!is_on(&app, "web2"), "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(pair()?).await.expect_err("web2 fails in both directions");
    for balancer in &balanced.balancers {
        balancer.send("set server shop/web3 state maint");
    }
    assert_eq!(balanced.drained(), [list(&["web2", "web3"]), list(&["web2", "web3"])]);
    let status = balanced.site().read_status(pair()?).await?;
    assert_eq!(status.hosts.iter().map(|host| host.is_drained).collect::<Vec<_>>(), [false, true]);

    let (site, seen) = recording(balanced.site(), balanced.sockets());
    balanced.fixture.origin.build("deployable-3", &[("version", "three")]);
    site.deploy(pair()?).await?;
    let hosts: Vec<String> = take(&seen).into_iter().map(|(host, _)| host).collect();
    assert_eq!(hosts, ["web2", "web2", "web1", "web1"]);
    site.rollback(pair()?).to(first.parse::<ReleaseId>()?).await?;
    assert_eq!(balanced.drained(), [list(&["web3"]), list(&["web3"])]);
    assert!(!balanced.site().read_status(pair()?).await?.hosts.iter().any(|host| host.is_drained));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_back_in_its_balancer_is_drained_again_for_its_revert() -> Result {
    let Some(balanced) = Balanced::start_with("check inter 100") else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let (site, seen) = recording(balanced.site().balancer(balanced.haproxy().up_limit(secs(2))), balanced.sockets());
    let sockets = balanced.sockets();
    // The health check of the balancer fails for the second version of web1.
    let site = site.restart(move |app: App| {
        let sockets = sockets.clone();
        async move {
            if is_on(&app, "web1") && probe("cat version").line().await? == "two" {
                for socket in &sockets {
                    crate::haproxy::send(socket, "set server shop/web1 check-port 1");
                }
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = site.deploy(all(&client)).await.expect_err("the health check of the balancer fails").into_error();
    assert!(error.message().contains("the health check of the balancer fails for web1 on web2"), "{}", error.block());
    let both = [list(&["web1"]), list(&["web1"])];
    let seen = take(&seen);
    assert_eq!(seen, vec![("web1".to_owned(), both); seen.len()], "no restart in the balancer");
    assert!(seen.len() >= 3, "the revert restarts the host: {seen:?}");
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_role_without_hosts_is_refused_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let haproxy = || HaProxy::socket("/run/haproxy.sock").backend("shop").on(role("lb"));
    for site in [
        fixture.site().rolling(1).balancer(haproxy()),
        fixture.site().strategy(BlueGreen::ports(8001, 8002).switch(haproxy())),
    ] {
        let config = Config::parse("[env.production]\nroles.lb = []", "fabrs.toml".as_ref())?;
        let inventory = Inventory::new(&config, Some("production"))?;
        let (client, _) = fixture.client_of(|settings| settings, |builder| builder.inventory(inventory));
        let error = site.deploy(all(&client)).await.expect_err("no balancer would be switched").into_error();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.message(), "HAProxy backend shop has no hosts", "{}", error.block());
        assert!(!fixture.root(0).exists(), "nothing was changed");
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_drain_names_the_servers_outside_the_balancer_and_the_next_step() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let refused = async |site: Site| {
        let error = site.deploy(all(&client)).await.expect_err("no active server would remain").into_error();
        (error.message().to_owned(), error.hint_text().unwrap_or_default().to_owned())
    };
    balanced.balancers[0].send("set server shop/web2 state maint");
    let (text, hint) = refused(balanced.site().rolling(2)).await;
    assert_eq!(
        text,
        "draining web1, web3 would leave HAProxy backend shop on web2 without an active server: web2 is out already"
    );
    assert_eq!(hint, "return web2 to the balancer, or deploy in smaller batches (`.rolling(1)`)");

    balanced.balancers[0].send("set server shop/web3 state drain");
    let (text, hint) = refused(balanced.site()).await;
    assert!(text.starts_with("draining web1 would leave HAProxy backend shop on web2 without"), "{text}");
    assert!(text.ends_with("without an active server: web2 is out already, web3 is out already"), "{text}");
    assert_eq!(hint, "return web2, web3 to the balancer");
    client.close().await;
    Ok(())
}
