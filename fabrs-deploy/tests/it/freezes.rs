//! Freeze windows of an environment: the refusal, the override, rollbacks and dry runs.

use std::fs;
use std::sync::Arc;

use fabrs::config::{Config, Inventory, Mode, Settings};
use fabrs::event::CaptureSink;
use fabrs::prelude::Result;
use fabrs::{Client, ErrorKind};

use crate::fixture::{Fixture, SentReports, all};

const WINDOW: &str = "2000-01-01 - 2999-01-01 UTC";
const FROZEN: &str = "production is frozen until 2999-01-02 00:00 UTC (freeze window `2000-01-01 - 2999-01-01 UTC`)";

fn client(fixture: &Fixture, change: impl FnOnce(Settings) -> Settings) -> (Client, Arc<CaptureSink>) {
    client_with_window(fixture, WINDOW, change)
}

fn client_with_window(
    fixture: &Fixture,
    window: &str,
    change: impl FnOnce(Settings) -> Settings,
) -> (Client, Arc<CaptureSink>) {
    let toml = format!("[env.production]\nfreeze = ['{window}']");
    let config = Config::parse(&toml, "fabrs.toml".as_ref()).expect("valid TOML");
    let inventory = Inventory::new(&config, Some("production")).expect("the environment exists");
    fixture.client_of(change, |builder| builder.inventory(inventory).defer_approval())
}

fn overriding(settings: Settings) -> Settings {
    settings.override_freeze(Some("fixes the checkout".to_owned()))
}

/// Returns all messages and warnings of a run.
fn messages(capture: &CaptureSink) -> String {
    let texts = capture.of_kind("message").into_iter().chain(capture.of_kind("warning"));
    texts.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_refuses_a_deploy_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, _) = client(&fixture, |settings| settings);
    let error = fixture.site().deploy(all(&client)).await.expect_err("the environment is frozen").into_error();
    assert_eq!(error.kind(), ErrorKind::Task);
    let block = error.block().to_string();
    assert!(block.contains(FROZEN) && block.contains("--override-freeze REASON"), "{block}");
    for host in 0..3 {
        assert!(!fixture.root(host).exists(), "no file was created, not even a lock");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_override_is_recorded_in_the_approval_the_manifest_the_log_and_the_report() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let reports = SentReports::default();
    let (client, capture) = client(&fixture, overriding);
    let live = fixture.site().notify(reports.clone()).deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    let shown = messages(&capture);
    assert_eq!(shown.matches(" overridden: fixes the checkout").count(), 2, "warning and approval: {shown}");
    assert!(shown.contains(FROZEN), "{shown}");

    let root = fixture.root(1);
    let manifest = fs::read_to_string(root.join(format!("releases/{}/.fabrs-release.json", live.release)))?;
    assert!(manifest.contains(r#""override_reason":"fixes the checkout""#), "{manifest}");
    let log = fs::read_to_string(root.join("revisions.log"))?;
    assert!(log.trim_end().ends_with("(freeze overridden: fixes the checkout)"), "{log}");
    let reports = reports.0.lock().expect("no panic while the record was locked").clone();
    let [report] = &reports[..] else { panic!("one report: {reports:?}") };
    assert_eq!(report.override_reason.as_deref(), Some("fixes the checkout"));
    assert!(report.text().contains("\nfreeze overridden: fixes the checkout"), "{}", report.text());
    fixture.site().releases(all(&client)).await?;
    assert!(messages(&capture).trim_end().ends_with("freeze overridden: fixes the checkout"), "{}", messages(&capture));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_allows_a_rollback_with_a_note() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (open, _) = fixture.client();
    for (build, version) in [("deployable-1", "one"), ("deployable-2", "two")] {
        fixture.origin.build(build, &[("version", version)]);
        fixture.site().deploy(all(&open)).await?;
    }
    let (client, capture) = client(&fixture, |settings| settings);
    fixture.site().rollback(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    let shown = messages(&capture);
    assert!(shown.contains(&format!("{FROZEN}; a rollback is allowed")), "{shown}");
    for client in [open, client] {
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_in_a_freeze_warns_and_shows_the_plan() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, capture) = client(&fixture, |settings| settings.mode(Mode::DryRun));
    fixture.site().deploy(all(&client)).await?;
    let shown = messages(&capture);
    assert!(shown.contains(FROZEN) && shown.contains("new  deployable-1 ("), "{shown}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_approval_shows_the_start_of_the_next_freeze() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, capture) = client_with_window(&fixture, "2999-01-01 - 2999-01-02 UTC", overriding);
    let live = fixture.site().deploy(all(&client)).await?;
    let shown = messages(&capture);
    assert!(shown.contains("  freeze             next at 2999-01-01 00:00 UTC\n"), "{shown}");
    let manifest = fixture.root(0).join(format!("releases/{}/.fabrs-release.json", live.release));
    let manifest = fs::read_to_string(manifest)?;
    assert!(!manifest.contains("override_reason"), "without a freeze, nothing is overridden: {manifest}");
    client.close().await;
    Ok(())
}
