//! Hosts that revert by themselves: manual locks, failed restarts, lost confirmations, refused
//! sites and dry runs.

use std::fs;
use std::sync::Arc;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{App, CommandGate, HostRevertState, RestartCommand, Site};
use fabrs_testing::Process;

use crate::fixture::{Fixture, all, is_on, within_limit};
use crate::host_reverts::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_lock_delays_the_revert() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let lock = |host| fixture.root(host).join("deploy.locked");
    cut_off(site(&fixture, secs(1)), &client, || {
        (0..3).for_each(|host| fs::write(lock(host), "{}").expect("root writes the file"));
    })
    .await;
    let is_due = |state: &HostRevertState| *state == HostRevertState::Pending { seconds_left: 0 };
    within_limit(async {
        loop {
            let status = fixture.site().read_status(all(&client)).await?;
            if status.hosts.iter().all(|host| host.host_revert.as_ref().is_some_and(|revert| is_due(&revert.state))) {
                return Ok::<(), TaskError>(());
            }
        }
    })
    .await?;
    assert_eq!(loaded(&fixture), ["two"; 3]);
    client.close().await;
    (0..3).for_each(|host| fs::remove_file(lock(host)).expect("root removes the file"));
    wait_for_reverts(&fixture, &first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_reports_a_failed_restart_and_the_end_of_a_watchdog() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    cut_off(site(&fixture, secs(1)), &client, || {
        fs::write(fixture.root(0).join("broken"), "").expect("root writes the file");
        watchdogs(&fixture, 1).iter().for_each(Process::kill);
    })
    .await;
    client.close().await;
    wait("the hosts with a watchdog are reverted", || {
        [0, 2].iter().all(|host| fixture.root(*host).join(STATE).join("result").exists())
    });
    let second = second_release(&fixture, 0, &first);
    let shown = status(&fixture).await?;
    let line = |host: &str| shown.lines().find(|line| line.starts_with(host)).unwrap_or_default().to_owned();
    assert!(line("web1").contains(&format!("the host returned to {first} at ")), "{shown}");
    assert!(line("web1").contains(", but the restart failed"), "{shown}");
    assert!(
        line("web2").contains(&second) && line("web2").contains("unconfirmed, and its watchdog has ended"),
        "{shown}"
    );
    assert_eq!(fixture.current(), [first.clone(), second, first]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmable_host_reverts_by_itself_and_the_run_reverts_the_others() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    client.close().await;
    let (proxies, client, capture) = proxied(&fixture);
    let stalled = Arc::clone(&proxies);
    // The gate is the last step before the confirmation.
    let gate = CommandGate::new("the network of web3", move |app: App| {
        let proxies = Arc::clone(&stalled);
        async move {
            if is_on(&app, "web3") {
                proxies[2].stall();
            }
            Ok::<(), TaskError>(())
        }
    });
    let deploy = site(&fixture, secs(1)).gate(gate).deploy(all(&client));
    let error = within_limit(deploy.into_future()).await.expect_err("web3 is lost").into_error();
    let block = error.block().to_string();
    assert!(block.contains("web3"), "{block}");
    let second = second_release(&fixture, 2, &first);
    let table = messages(&capture);
    assert!(
        table.contains(&format!(
            "web3  on {second}, unless confirmed, reverts by itself 1s after the loss of the run\n"
        )),
        "{table}"
    );
    assert_eq!(fixture.current()[..2], [first.as_str(); 2]);
    assert!((0..2).all(|host| !has_state(&fixture, host)));
    wait("web3 is reverted", || fixture.root(2).join(STATE).join("result").exists());
    assert_eq!(fixture.current(), [first.as_str(); 3]);
    assert_eq!(loaded(&fixture), ["one"; 3]);
    proxies[2].resume();
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_without_a_revert_by_the_host_is_refused_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let refused = async |site: Site| {
        let error = site.deploy(all(&client)).await.expect_err("the site is refused").into_error();
        (error.kind(), error.block().to_string())
    };
    let (kind, block) = refused(site(&fixture, secs(1)).restart(|_| run("true"))).await;
    assert_eq!(kind, ErrorKind::Usage);
    assert!(block.contains("a restart step is a closure") && block.contains("RestartCommand::sudo"), "{block}");

    let (kind, block) = refused(site(&fixture, secs(1)).in_place()).await;
    assert_eq!(kind, ErrorKind::Usage);
    assert!(block.contains("`revert_unless_confirmed` does not support `.in_place()`"), "{block}");

    // Only web3 runs commands under sudo without a password.
    let (kind, block) = refused(site(&fixture, secs(1)).restart(RestartCommand::sudo("id -un"))).await;
    assert_eq!(kind, ErrorKind::Task);
    for host in ["web1", "web2"] {
        assert!(block.contains(&format!("{host}: sudo does not run `id -un` without a password")), "{block}");
    }
    assert!(!block.contains("web3") && block.contains("NOPASSWD"), "{block}");
    assert_eq!(fixture.current(), [first.as_str(); 3]);
    assert!((0..3).all(|host| fixture.names(host, "releases").len() == 1));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_starts_no_watchdog() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    deploy_first(&fixture, &client).await?;
    client.close().await;
    let (client, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    site(&fixture, mins(5)).deploy(all(&client)).await?;
    client.close().await;
    assert!((0..3).all(|host| !has_state(&fixture, host)));
    let notes = messages(&capture);
    assert!(
        notes.contains("  revert             each host by itself, 5m after the run is cut off, unless confirmed\n"),
        "{notes}"
    );
    let planned = capture.of_kind("planned");
    let is_shown = |part: &str| planned.iter().any(|planned| planned["operation"].to_string().contains(part));
    assert!(is_shown("start the revert watchdog") && is_shown("confirm "), "{planned:?}");
    assert!(!is_shown("while is_pending"), "the plan has no script: {planned:?}");
    Ok(())
}
