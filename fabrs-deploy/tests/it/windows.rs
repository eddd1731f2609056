//! Deploys and rollbacks in a sliding window: the next host starts as soon as a host has passed its
//! health check.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fabrs::prelude::*;
use fabrs_deploy::{App, Site};
use tokio::sync::{Barrier, Semaphore};

use crate::fixture::{Fixture, all, is_on, within_limit};

/// A counter of the hosts that have passed their health check, and of the hosts in progress.
#[derive(Debug, Default)]
struct Progress {
    checked: AtomicUsize,
    most: AtomicUsize,
}

/// Counts the hosts between the switch to `version` and the end of the health check.
fn counting(site: Site, fixture: &Arc<Fixture>, version: &'static str) -> (Site, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let (at_restart, at_check, fixture) = (Arc::clone(&progress), Arc::clone(&progress), Arc::clone(fixture));
    let site = site
        .restart(move |_: App| {
            // Read before the switches: a host checked in between only lowers the number.
            let switched = fixture.live("version").iter().filter(|live| *live == version).count();
            let in_progress = switched.saturating_sub(at_restart.checked.load(Ordering::SeqCst));
            at_restart.most.fetch_max(in_progress, Ordering::SeqCst);
            async { Ok::<(), TaskError>(()) }
        })
        .health(move |_: App| {
            at_check.checked.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), TaskError>(()) }
        });
    (site, progress)
}

/// Returns the number of switches of each host, from its log.
fn switches(fixture: &Fixture, log: &str) -> [usize; 3] {
    [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join(log)).map_or(0, |log| log.lines().count()))
}

/// Returns a restart of web1 that waits for the restart of web3.
fn waiting_for_web3() -> impl Fn(App) -> std::pin::Pin<Box<dyn Future<Output = Result> + Send>> {
    let barrier = Arc::new(Barrier::new(2));
    move |app: App| {
        let barrier = Arc::clone(&barrier);
        Box::pin(async move {
            if !is_on(&app, "web2") {
                barrier.wait().await;
            }
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_starts_as_soon_as_another_host_has_passed_its_health_check() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    // With batches of 2, web3 would start after web1, and web1 would wait for ever.
    let site = fixture.site().window(2).restart(waiting_for_web3());
    for (tag, version) in [("deployable-1", "one"), ("deployable-2", "two")] {
        fixture.origin.build(tag, &[("version", version)]);
        within_limit(async { site.deploy(all(&client)).await }).await?;
        assert_eq!(fixture.live("version"), [version; 3]);
    }
    within_limit(async { site.rollback(all(&client)).await }).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_never_has_more_hosts_between_switch_and_health_check() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let fixture = Arc::new(fixture);
    let (client, _) = fixture.client();
    for (version, site, limit) in [
        ("one", fixture.site().window(1), 1),
        ("two", fixture.site().window("67%"), 2),
        ("three", fixture.site().window("34%"), 1),
    ] {
        fixture.origin.build(&format!("deployable-{version}"), &[("version", version)]);
        let (site, progress) = counting(site, &fixture, version);
        site.deploy(all(&client)).revision(format!("deployable-{version}")).await?;
        assert_eq!(progress.checked.load(Ordering::SeqCst), 3);
        let most = progress.most.load(Ordering::SeqCst);
        assert!((1..=limit).contains(&most), "{most} hosts at a time, version {version}");
    }
    // A smaller limit of the group applies.
    fixture.origin.build("deployable-four", &[("version", "four")]);
    let (site, progress) = counting(fixture.site().window(3), &fixture, "four");
    site.deploy(all(&client).limit(1)).revision("deployable-four".to_owned()).await?;
    assert_eq!(progress.most.load(Ordering::SeqCst), 1);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_a_window_starts_no_further_host_and_reverts_all_switched_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site().window(2).restart(|_| run("echo $(cat version) >> ../../restarts"));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site.deploy(all(&client)).await?.release.to_string();

    fixture.origin.build("deployable-2", &[("version", "two")]);
    // The check of web2 ends after the failure of web1: web2 is in progress meanwhile.
    let failed = Arc::new(Semaphore::new(0));
    let passed = Arc::new(AtomicUsize::new(0));
    let (failing, counted) = (Arc::clone(&failed), Arc::clone(&passed));
    let broken = site.health(move |app: App| {
        let (failing, counted) = (Arc::clone(&failing), Arc::clone(&counted));
        async move {
            if probe("cat version").line().await? != "two" {
                return Ok::<(), TaskError>(());
            }
            if is_on(&app, "web1") {
                failing.add_permits(1);
                bail!("the shop does not answer");
            }
            failing.acquire().await?.forget();
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let error = within_limit(async { broken.deploy(all(&client)).await }).await;
    let error = error.expect_err("web1 fails its health check").into_error();
    assert!(error.to_string().contains("the shop does not answer"), "{}", error.block());
    assert_eq!(passed.load(Ordering::SeqCst), 1, "web2 finished");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert_eq!(switches(&fixture, "revisions.log"), [3, 3, 1], "web3 was not switched");
    let restarts = |host: usize| fs::read_to_string(fixture.root(host).join("restarts"));
    assert_eq!((restarts(0)?, restarts(1)?), ("one\ntwo\none\n".to_owned(), "one\ntwo\none\n".to_owned()));
    assert_eq!(restarts(2)?, "one\n");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosts_of_once_only_steps_precede_the_window_in_a_work_tree() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site().in_place().window(1).once(|_| run("cp version migrated")).once_on(["web3"]);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let broken = site.health(|app: App| async move {
        ensure!(!is_on(&app, "web1") || probe("cat version").line().await? == "one", "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(all(&client)).await.expect_err("web1 fails its health check");
    assert_eq!(fs::read_to_string(fixture.root(2).join("migrated"))?, "two");
    let trees = [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("version")).unwrap_or_default());
    assert_eq!(trees, ["one"; 3]);
    assert_eq!(switches(&fixture, ".git/revisions.log"), [3, 1, 3], "web2 was not reset");
    client.close().await;
    Ok(())
}
