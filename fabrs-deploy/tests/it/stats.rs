//! The statistics of a site: the recorded deploys, failures and rollbacks of real hosts.

use std::fs;

use fabrs::Group;
use fabrs::prelude::*;
use fabrs_deploy::Site;
use serde_json::{Value, json};

use crate::fixture::{Fixture, all};

/// Returns the last text printed on stdout.
fn printed(capture: &fabrs::event::CaptureSink) -> String {
    let messages = capture.of_kind("message");
    let last = messages.iter().rfind(|message| message["stream"] == "stdout");
    last.and_then(|message| message["text"].as_str()).expect("a text was printed").to_owned()
}

fn operations(fixture: &Fixture, host: usize) -> Vec<Value> {
    let log = fs::read_to_string(fixture.root(host).join("operations.log")).expect("the log exists");
    log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Deploys two builds, fails to deploy a third before the switch and a fourth after the switch, and
/// rolls the second back.
async fn deploy_fail_and_roll_back(fixture: &Fixture, site: &Site, hosts: &Group) -> Result {
    for (number, version) in [(1, "one"), (2, "two")] {
        fixture.origin.build(&format!("deployable-{number}"), &[("version", version)]);
        site.clone().deploy(hosts.clone()).await?;
    }
    fixture.origin.build("deployable-3", &[("version", "three")]);
    site.clone().build(|_| run("false")).deploy(hosts.clone()).await.expect_err("the build fails");
    let checked = site.clone().health(|_| run("grep -E 'one|two' version"));
    checked.deploy(hosts.clone()).await.expect_err("the check fails");
    site.clone().rollback(hosts.clone()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_failures_and_rollbacks_are_counted_once_for_all_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let (site, hosts) = (fixture.site(), all(&client));
    deploy_fail_and_roll_back(&fixture, &site, &hosts).await?;

    let kinds: Vec<Value> = operations(&fixture, 0)
        .iter()
        .map(|operation| {
            json!([
                operation["action"],
                operation["outcome"],
                operation["switched"].is_string(),
                operation["is_as_before"]
            ])
        })
        .collect();
    assert_eq!(
        kinds,
        [
            json!(["deploy", "live", true, false]),
            json!(["deploy", "live", true, false]),
            json!(["deploy", "failed", false, true]),
            json!(["deploy", "failed", true, true]),
            json!(["rollback", "live", true, false]),
        ]
    );
    assert_eq!(operations(&fixture, 0), operations(&fixture, 2), "all hosts record the same operations");

    let stats = site.read_stats(hosts.clone()).await?;
    assert_eq!((stats.hosts.len(), stats.unreachable.len()), (3, 0));
    assert_eq!((stats.deploys, stats.changes), (2, 4));
    assert_eq!((stats.failed_before_switch, stats.failed_after_switch, stats.rolled_back), (1, 1, 1));
    assert_eq!((stats.lead_times, stats.restores, stats.not_restored), (2, 2, 0));
    assert!(stats.lead_time_seconds.is_some() && stats.time_to_restore_seconds.is_some(), "{stats:?}");

    site.stats_json(hosts.clone()).await?;
    let document: Value = serde_json::from_str(&printed(&capture)).expect("the text is one JSON document");
    assert_eq!((&document["deploys"], &document["change_failure_rate"]), (&json!(2), &json!(0.75)));
    let mut keys: Vec<&str> = document.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "change_failure_rate",
        "changes",
        "deploys",
        "deploys_per_week",
        "failed_after_switch",
        "failed_before_switch",
        "from",
        "hosts",
        "lead_time_seconds",
        "lead_times",
        "not_restored",
        "restores",
        "rolled_back",
        "site",
        "time_to_restore_seconds",
        "to",
        "unreachable",
    ];
    assert_eq!(keys, expected);

    site.stats(hosts).await?;
    let table = printed(&capture);
    for line in [
        "deploys              2.0 a week",
        "change failure rate  75 %        3 of 4: 1 before the switch, 1 after the switch, 1 rolled back",
    ] {
        assert!(table.contains(line), "{line}: {table}");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_survives_the_removal_of_old_releases_and_the_loss_of_a_host() -> Result {
    let Some(mut fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site().keep_releases(1);
    for (number, version) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
        fixture.origin.build(&format!("deployable-{number}"), &[("version", version)]);
        site.clone().deploy(all(&client)).await?;
    }
    assert!(fs::read_dir(fixture.root(0).join("releases"))?.count() < 4, "old releases were removed");
    client.close().await;
    fixture.hosts[1].stop();

    let (client, capture) = fixture.client();
    let stats = site.read_stats(all(&client)).await?;
    assert_eq!((stats.deploys, stats.lead_times, &stats.unreachable[..]), (4, 4, &["web2".to_owned()][..]));
    site.stats(all(&client)).await.expect_err("web2 is down");
    assert!(printed(&capture).ends_with("\nunreachable: web2\n"), "{}", printed(&capture));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_without_a_log_are_known_from_their_manifests() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let (site, hosts) = (fixture.site(), all(&client));
    deploy_fail_and_roll_back(&fixture, &site, &hosts).await?;
    for host in 0..3 {
        fs::remove_file(fixture.root(host).join("operations.log"))?;
    }
    let stats = site.read_stats(hosts).await?;
    assert_eq!((stats.deploys, stats.changes, stats.lead_times), (2, 3, 0));
    assert_eq!((stats.failed_after_switch, stats.rolled_back), (1, 1), "the bad marks of the releases");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manipulated_log_is_skipped_and_a_long_log_is_trimmed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site().in_place();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.clone().deploy(all(&client)).await?;
    let log = fixture.root(0).join(".git/operations.log");
    let first = fs::read_to_string(&log)?;
    fs::write(&log, "\u{1b}[2K\n{\"run\":1}\n".repeat(700) + &first)?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.clone().deploy(all(&client)).await?;
    assert_eq!(fs::read_to_string(&log)?.lines().count(), 1000);
    let stats = site.read_stats(all(&client)).await?;
    assert_eq!((stats.deploys, stats.lead_times), (2, 2));
    site.stats(all(&client)).await?;
    assert!(!printed(&capture).contains('\u{1b}'));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_records_no_operation() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client_with(|settings| settings.mode(fabrs::config::Mode::DryRun));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    assert!(!fixture.root(0).join("operations.log").exists());
    client.close().await;
    Ok(())
}
