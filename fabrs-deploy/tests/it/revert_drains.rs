//! Reverts behind a balancer: drained hosts return first, and an active server remains.

use fabrs::prelude::*;
use fabrs_deploy::App;

use crate::drains::{Balanced, Drained, fail_on_web2, list, recording, take, texts, warnings};
use crate::fixture::{all, is_on};

/// Returns the restart and the health check of a host, each with these drained servers.
fn restarted(host: &str, drained: &[&str]) -> [(String, Drained); 2] {
    [(); 2].map(|()| (host.to_owned(), [list(drained), list(drained)]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_returns_before_the_only_active_host_is_drained_for_its_revert() -> Result {
    let Some(balanced) = Balanced::start_with("check inter 100") else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    for balancer in &balanced.balancers {
        balancer.send("set server shop/web3 state maint");
    }
    let pair = Group::of(&client, ["web1", "web2"])?;
    let (site, seen) = recording(balanced.site(), balanced.sockets());
    site.health(fail_on_web2).deploy(pair).await.expect_err("web2 fails");
    let reverted = [restarted("web2", &["web2", "web3"]), restarted("web1", &["web1", "web3"])].concat();
    let seen = take(&seen);
    assert_eq!(seen[seen.len() - 4..], reverted, "{seen:?}");
    assert_eq!(warnings(&capture), "");
    assert_eq!(balanced.drained(), [list(&["web3"]), list(&["web3"])]);
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_up_before_the_deploy_is_up_again_before_the_next_host_is_drained() -> Result {
    let Some(balanced) = Balanced::start_with("check inter 100 rise 10") else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let sockets = balanced.sockets();
    let set_check_port = move |lines: &str| {
        for socket in &sockets {
            crate::haproxy::send(socket, lines);
        }
    };
    for balancer in &balanced.balancers {
        balancer.send("set server shop/web3 state maint");
    }
    let (site, seen, port) = {
        let (site, seen) = recording(balanced.site(), balanced.sockets());
        (site, seen, balanced.port)
    };
    // The second version of web2 answers the health check of the site, and not the balancer.
    let site = site.balancer(balanced.haproxy().up_limit(secs(2))).restart(move |app: App| {
        let set_check_port = set_check_port.clone();
        async move {
            if is_on(&app, "web2") {
                let is_bad = probe("cat version").line().await? == "two";
                let port = if is_bad { 1 } else { port };
                set_check_port(&format!("set server shop/web2 check-port {port}"));
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = site.deploy(Group::of(&client, ["web1", "web2"])?).await.expect_err("web2 is down").into_error();
    assert!(error.message().contains("the health check of the balancer fails for web2"), "{}", error.block());
    let seen = take(&seen);
    let reverted = [restarted("web2", &["web2", "web3"]), restarted("web1", &["web1", "web3"])].concat();
    assert_eq!(seen[seen.len() - 4..], reverted, "{seen:?}");
    assert_eq!(warnings(&capture), "");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_drains_fewer_hosts_at_once_after_the_failed_revert_of_another_host() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let (site, seen) = recording(balanced.site().rolling(2), balanced.sockets());
    let broken = site.health(|app: App| async move {
        ensure!(!is_on(&app, "web3"), "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(all(&client)).await.expect_err("web3 fails in both directions");
    let seen = take(&seen);
    let reverted = [restarted("web1", &["web1", "web3"]), restarted("web2", &["web2", "web3"])].concat();
    assert_eq!(seen[seen.len() - 4..], reverted, "{seen:?}");
    assert!(!warnings(&capture).contains("without an active server"), "{}", warnings(&capture));
    assert_eq!(balanced.drained(), [list(&["web3"]), list(&["web3"])]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_active_host_is_reverted_without_a_drain_and_with_a_warning() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    for balancer in &balanced.balancers {
        balancer.send("set server shop/web3 state maint");
    }
    let broken = balanced.site().health(|app: App| async move {
        ensure!(!is_on(&app, "web2"), "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(Group::of(&client, ["web1", "web2"])?).await.expect_err("web2 fails in both directions");
    let warned = warnings(&capture);
    assert!(warned.contains("requests can fail during its restart"), "{warned}");
    assert!(warned.contains("draining web1 would leave HAProxy backend shop on web2 without an active"), "{warned}");
    assert_eq!(balanced.drained(), [list(&["web2", "web3"]), list(&["web2", "web3"])]);
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert!(texts(&capture, "message").contains("web1  back on "));
    client.close().await;
    Ok(())
}
