//! Blue-green sites after an interrupted run, a restarted balancer, and changes by an operator: no
//! side restarts while it receives requests, and no report hides the balancer.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{App, DeployPhase};

use crate::blue_green::{HOSTS, Load, Sides, request};
use crate::drains::{list, texts, warnings};
use crate::fixture::is_on;
use crate::haproxy::drained_at;

/// The sides after two deploys: green is live with version "two".
async fn deploy_twice(sides: &Sides, client: &Client) -> Result {
    sides.deploy(client, &sides.site(), 1, "one").await?;
    sides.deploy(client, &sides.site(), 2, "two").await?;
    Ok(())
}

/// Sends lines such as `web1-blue state ready` to the balancer.
fn set(sides: &Sides, servers: &[(&str, &str)]) {
    for (server, state) in servers {
        assert_eq!(sides.balancer.send(&format!("set server shop/{server} state {state}")).trim(), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_side_with_requests_leaves_the_balancer_before_its_restart() -> Result {
    let ready = [("web1-blue", "ready"), ("web2-blue", "ready")];
    let without_green = [("web1-green", "maint"), ("web2-green", "maint")];
    let interrupted = [ready, without_green].concat();
    for (case, servers) in [("a restarted balancer", ready.to_vec()), ("an interrupted switch", interrupted)] {
        let Some(sides) = Sides::start() else { return Ok(()) };
        let (client, capture) = sides.fixture.client();
        deploy_twice(&sides, &client).await?;
        set(&sides, &servers);
        let (seen, socket) = (Arc::new(Mutex::new(Vec::new())), sides.balancer.socket());
        let recorder = Arc::clone(&seen);
        let site = sides.site().restart(move |_: App| {
            recorder.lock().unwrap_or_else(PoisonError::into_inner).push(drained_at(&socket));
            async { Ok::<(), TaskError>(()) }
        });
        let load = Load::start(sides.balancer.frontend());
        sides.deploy(&client, &site, 3, "three").await?;
        let blue = list(&["web1-blue", "web2-blue"]);
        assert_eq!(*seen.lock().unwrap_or_else(PoisonError::into_inner), [blue.clone(), blue], "{case}");
        let results = load.end();
        assert!(results.iter().all(Option::is_some), "{case}: failed requests: {results:?}");
        assert!(warnings(&capture).contains("sends requests to an idle side: taking out web1-blue on web3"), "{case}");
        assert_eq!(sides.state().drained, ["web1-green", "web2-green"], "{case}");
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_live_side_receives_no_requests_and_the_deploy_is_refused() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    deploy_twice(&sides, &client).await?;
    set(&sides, &[("web1-blue", "ready"), ("web2-blue", "ready"), ("web1-green", "maint"), ("web2-green", "maint")]);
    for host in 0..2 {
        let pid = fs::read_to_string(sides.fixture.root(host).join("green.pid"))?;
        std::process::Command::new("kill").arg(pid.trim()).status()?;
    }
    let before = sides.state();
    let error = sides.deploy(&client, &sides.site(), 3, "three").await.expect_err("green is dead").into_error();
    let block = error.block().to_string();
    assert!(block.contains("sends requests to web1-blue, and the recorded live side green fails"), "{block}");
    assert!(block.contains("start the services of green"), "{block}");
    assert_eq!(sides.state(), before);
    assert_eq!(request(sides.balancer.frontend()).as_deref(), Some("one"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_taken_out_by_an_operator_stays_out() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, capture) = sides.fixture.client();
    deploy_twice(&sides, &client).await?;
    set(&sides, &[("web2-green", "maint")]);
    sides.deploy(&client, &sides.site(), 3, "three").await?;
    assert_eq!(sides.state().drained, ["web1-green", "web2-blue", "web2-green"]);
    let note = "out of HAProxy backend shop on web3, and stays out after the deploy";
    assert!(texts(&capture, "message").contains(note));
    assert_eq!(request(sides.balancer.frontend()).as_deref(), Some("three"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_never_switches_to_the_process_of_a_failed_release() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    deploy_twice(&sides, &client).await?;
    let unhealthy = sides.site().health(|_: App| probe("false"));
    sides.deploy(&client, &unhealthy, 3, "three").await.expect_err("three is unhealthy");
    sides.site().rollback(Group::of(&client, HOSTS)?).await?;
    for _ in 0..4 {
        assert_eq!(request(sides.balancer.frontend()).as_deref(), Some("one"));
    }
    client.close().await;
    Ok(())
}

/// Returns the lines of the state table.
fn table(capture: &CaptureSink) -> Vec<String> {
    let shown = texts(capture, "message");
    shown.lines().filter(|line| line.starts_with("web")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_switch_back_is_no_revert_and_the_next_deploy_repairs_it() -> Result {
    let Some(mut sides) = Sides::start() else { return Ok(()) };
    let (client, capture) = sides.fixture.client();
    deploy_twice(&sides, &client).await?;
    let pid = sides.balancer.pid().to_string();
    let failing = sides.site().after(DeployPhase::Switch, move |app: App| {
        let pid = pid.clone();
        async move {
            if is_on(&app, "web2") {
                std::process::Command::new("kill").args(["-KILL", &pid]).status()?;
                bail!("the cache is cold");
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = sides.deploy(&client, &failing, 3, "three").await.expect_err("the hook fails").into_error();
    assert!(error.block().to_string().contains("deploy again to repair them"), "{}", error.block());
    assert!(warnings(&capture).contains("HAProxy backend shop could not be switched back"));
    let table = table(&capture);
    assert!(table.len() == 2 && !table.iter().any(|line| line.contains("back on")), "{table:?}");
    assert_eq!(sides.state_without_balancer().1, vec!["blue\n".to_owned(); 2], "the hosts agree with the balancer");

    sides.balancer.restart();
    sides.deploy(&client, &sides.site(), 4, "four").await?;
    assert_eq!(sides.state().drained, ["web1-blue", "web2-blue"]);
    assert_eq!(request(sides.balancer.frontend()).as_deref(), Some("four"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_passes_the_health_check_of_the_balancer_before_it_receives_requests() -> Result {
    let Some(sides) = Sides::start_with(|_| "check inter 100") else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    deploy_twice(&sides, &client).await?;
    client.close().await;

    let is_green = |name: &str| name.ends_with("green");
    let options = move |name: &str| if is_green(name) { "check inter 100 port 1" } else { "check inter 100" };
    let Some(sides) = Sides::start_with(options) else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    let before = sides.state();
    let load = Load::start(sides.balancer.frontend());
    let error = sides.deploy(&client, &sides.site(), 2, "two").await.expect_err("green is down").into_error();
    assert!(error.message().contains("the health check of the balancer fails for web1-green"), "{}", error.block());
    assert_eq!(load.end(), [Some("one".to_owned())]);
    assert_eq!(sides.state(), before);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_once_only_step_has_the_side_of_the_new_release() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    let site = sides.site().once(|app: App| {
        let side = app.side().map_or("none", fabrs_deploy::BlueGreenSide::as_str);
        run(cmd!("echo {side} >> ../../once"))
    });
    sides.deploy(&client, &site, 1, "one").await?;
    sides.deploy(&client, &site, 2, "two").await?;
    assert_eq!(fs::read_to_string(sides.fixture.root(0).join("once"))?, "blue\ngreen\n");
    client.close().await;
    Ok(())
}
