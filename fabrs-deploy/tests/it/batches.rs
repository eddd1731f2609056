//! Deploys and rollbacks in batches: each batch is switched, restarted and checked before the next
//! batch begins.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::ErrorKind;
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{App, Site};

use crate::fixture::{Fixture, all, is_on};

/// The versions on all hosts at each health check, in the order of the checks.
type Seen = Arc<Mutex<Vec<[String; 3]>>>;

/// Adds a health check that records the versions on all hosts.
fn recording(site: Site, fixture: &Arc<Fixture>, versions: fn(&Fixture) -> [String; 3]) -> (Site, Seen) {
    let seen = Seen::default();
    let (recorder, fixture) = (Arc::clone(&seen), Arc::clone(fixture));
    let site = site.health(move |_: App| {
        recorder.lock().unwrap_or_else(PoisonError::into_inner).push(versions(&fixture));
        async { Ok::<(), TaskError>(()) }
    });
    (site, seen)
}

/// Returns the recorded versions and empties the record.
fn take(seen: &Seen) -> Vec<[String; 3]> {
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Returns the version in the live release of each host.
fn live_versions(fixture: &Fixture) -> [String; 3] {
    fixture.live("version")
}

/// Returns the version in the work tree of each host.
fn tree_versions(fixture: &Fixture) -> [String; 3] {
    [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("version")).unwrap_or_default())
}

/// Returns the started batches with their hosts.
fn batch_phases(capture: &CaptureSink) -> Vec<String> {
    let phases = capture.of_kind("phase_started").into_iter();
    let batches = phases.filter(|phase| phase["name"].as_str().is_some_and(|name| name.starts_with("batch ")));
    batches.map(|phase| format!("{}: {}", phase["name"].as_str().unwrap_or_default(), hosts_of(&phase))).collect()
}

/// Returns the hosts of a phase.
fn hosts_of(phase: &serde_json::Value) -> String {
    let hosts = phase["hosts"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    hosts.collect::<Vec<_>>().join(", ")
}

/// Fails the check of a host as soon as the host runs version "two".
fn failing_on(host: &'static str) -> impl Fn(App) -> std::pin::Pin<Box<dyn Future<Output = Result> + Send>> {
    move |app: App| {
        Box::pin(async move {
            let is_bad = is_on(&app, host) && probe("cat version").line().await? == "two";
            ensure!(!is_bad, "the shop does not answer");
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_switched_after_the_health_check_of_the_previous_batch() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let fixture = Arc::new(fixture);
    let (client, _) = fixture.client();
    let (site, seen) = recording(fixture.site().rolling(1), &fixture, live_versions);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["one", "", ""], ["one", "one", ""], ["one", "one", "one"]], "first deploy");

    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["two", "one", "one"], ["two", "two", "one"], ["two", "two", "two"]], "second deploy");

    site.rollback(all(&client)).await?;
    assert_eq!(take(&seen), [["one", "two", "two"], ["one", "one", "two"], ["one", "one", "one"]], "rollback");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_grow_in_deploys_and_rollbacks_and_the_output_lists_their_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let fixture = Arc::new(fixture);
    let (site, seen) = recording(fixture.site().batches(["1", "100%"]), &fixture, live_versions);
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["one", "", ""], ["one", "one", "one"], ["one", "one", "one"]], "first deploy");
    client.close().await;

    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["two", "one", "one"], ["two", "two", "two"], ["two", "two", "two"]], "second deploy");
    let expected = ["batch 1 of 2: web1", "batch 2 of 2: web2, web3"];
    assert_eq!(batch_phases(&capture), expected);
    site.rollback(all(&client)).await?;
    assert_eq!(take(&seen), [["one", "two", "two"], ["one", "one", "one"], ["one", "one", "one"]], "rollback");
    assert_eq!(batch_phases(&capture), [expected, expected].concat());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_percentage_refers_to_the_hosts_of_the_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    for (percent, hosts, expected) in [
        ("67%", 3, &["batch 1 of 2: web1, web2", "batch 2 of 2: web3"][..]),
        ("50%", 2, &["batch 1 of 2: web1", "batch 2 of 2: web2"]),
        ("100%", 3, &[]),
    ] {
        let (client, capture) = fixture.client();
        let group = Group::new(all(&client).connections()[..hosts].to_vec());
        fixture.site().rolling(percent).deploy(group).await?;
        assert_eq!(batch_phases(&capture), expected, "{percent} of {hosts} hosts");
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_second_batch_reverts_both_batches_and_the_third_stays_untouched() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site().batches(["1", "34%"]);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site.deploy(all(&client)).await?.release.to_string();
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.health(failing_on("web2")).deploy(all(&client)).await.expect_err("web2 fails its health check");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    let switches = [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("revisions.log")));
    assert_eq!(switches.map(|log| log.map_or(0, |log| log.lines().count())), [3, 3, 1]);
    let expected = ["batch 1 of 3: web1", "batch 2 of 3: web2"];
    assert_eq!(batch_phases(&capture)[3..], expected, "the third batch did not begin");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_batch_size_is_an_error_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, _) = fixture.client();
    let site = || fixture.site();
    for (site, cause) in [
        (site().rolling(0), "`0` selects no host"),
        (site().rolling("101%"), "`101%` is more than all hosts"),
        (site().window("x%"), "`x%` is neither a number of hosts (`2`) nor a percentage (`25%`)"),
        (site().batches(["1", "0%"]), "`0%` selects no host"),
        (site().batches([""; 0]), "the list of batch sizes is empty"),
    ] {
        let error = site.deploy(all(&client)).await.expect_err(cause).into_error();
        assert_eq!(error.kind(), ErrorKind::Usage, "{cause}");
        assert!(error.block().to_string().contains(cause), "{}", error.block());
    }
    assert_eq!(fixture.live("version"), [""; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosts_of_once_only_steps_are_the_first_batch_of_a_work_tree() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site().in_place().batches(["1", "100%"]);
    let site = site.on(["web2"], |site| site.once(|_| run("cp version migrated")));
    let site = site.on(["web3"], |site| site.once(|_| run("cp version migrated")));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(batch_phases(&capture), ["batch 1 of 2: web2, web3", "batch 2 of 2: web1"]);
    assert_eq!(tree_versions(&fixture), ["one"; 3]);
    assert_eq!([1, 2].map(|host| fixture.root(host).join("migrated").exists()), [true; 2]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_batches_all_hosts_are_switched_before_the_first_health_check() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let fixture = Arc::new(fixture);
    let (client, _) = fixture.client();
    let (site, seen) = recording(fixture.site(), &fixture, live_versions);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["one"; 3]; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_batch_is_reverted_and_later_batches_stay_untouched() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site().rolling(1).restart(|_| run("echo $(cat version) >> ../../restarts"));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site.deploy(all(&client)).await?.release.to_string();

    fixture.origin.build("deployable-2", &[("version", "two")]);
    let broken = site.clone().health(failing_on("web2"));
    let error = broken.deploy(all(&client)).await.expect_err("web2 fails its health check").into_error();
    assert!(error.block().to_string().contains("the shop does not answer"), "{}", error.block());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    let restarts = |host: usize| fs::read_to_string(fixture.root(host).join("restarts"));
    let switches = |host: usize| fs::read_to_string(fixture.root(host).join("revisions.log"));
    for host in [0, 1] {
        assert_eq!(restarts(host)?, "one\ntwo\none\n", "web{}", host + 1);
        assert_eq!(switches(host)?.lines().count(), 3, "web{}", host + 1);
    }
    assert_eq!(restarts(2)?, "one\n", "web3 was not restarted");
    assert_eq!(switches(2)?.lines().count(), 1, "web3 was not switched");

    // The build is bad on every host, so a rollback never chooses the build.
    for host in 0..3 {
        let bad = fixture.names(host, "releases").pop().context("the releases of both deploys exist")?;
        assert!(fixture.root(host).join("releases").join(bad).join("BAD_RELEASE").exists(), "web{}", host + 1);
    }
    let messages: Vec<String> =
        capture.of_kind("message").iter().filter_map(|message| message["text"].as_str().map(str::to_owned)).collect();
    let table = messages.join("\n");
    for line in [format!("web1  back on {first}"), format!("web2  back on {first}"), "web3  unchanged".to_owned()] {
        assert!(table.lines().any(|shown| shown == line), "{line}: {table}");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_batch_of_a_rollback_is_reverted_and_later_batches_stay_untouched() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site().rolling(2);
    fixture.origin.build("deployable-1", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "three")]);
    let live = site.deploy(all(&client)).await?.release.to_string();

    site.health(failing_on("web1")).rollback(all(&client)).await.expect_err("web1 fails its health check");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| live.clone()));
    let switches = [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("revisions.log")));
    let lines = switches.map(|log| log.map_or(0, |log| log.lines().count()));
    assert_eq!(lines, [4, 4, 2], "web1 and web2 were switched and reverted");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_tree_is_reset_after_the_health_check_of_the_previous_batch() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let fixture = Arc::new(fixture);
    let (client, _) = fixture.client();
    let (site, seen) = recording(fixture.site().in_place().rolling(1), &fixture, tree_versions);
    // The once-only step needs the new code, so its host belongs to the first batch.
    let site = site.once(|_| run("cp version migrated")).once_on(["web3"]);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    take(&seen);
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), [["one", "one", "two"], ["two", "one", "two"], ["two", "two", "two"]]);
    assert_eq!(fs::read_to_string(fixture.root(2).join("migrated"))?, "two");

    fixture.origin.build("deployable-3", &[("version", "three")]);
    let broken = site.health(|app: App| async move {
        ensure!(!is_on(&app, "web1") || probe("cat version").line().await? == "two", "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(all(&client)).await.expect_err("web1 fails its health check");
    assert_eq!(tree_versions(&fixture), ["two"; 3]);
    let moves = [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join(".git/revisions.log")));
    let lines = moves.map(|log| log.map_or(0, |log| log.lines().count()));
    assert_eq!(lines, [4, 2, 4], "web2 was not reset");
    client.close().await;
    Ok(())
}
