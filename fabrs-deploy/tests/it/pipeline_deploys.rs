//! Deploys as stages of a pipeline: refusals, records, overrides, holds and rollbacks.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use fabrs::config::{Config, Inventory, Mode, Settings, parse_excluded_hosts, parse_host_args};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{App, Pipeline, Site};
use fabrs_testing::{GitServer, wait_until};

use crate::fixture::{Fixture, SentReports, all, within_limit};
use crate::locks::lock;
use crate::pipeline_fixture::pipeline_of;

fn stages(fixture: &Fixture) -> Pipeline {
    pipeline_of(&fixture.origin.tree())
}

fn staging(fixture: &Fixture) -> Result<Site> {
    Ok(fixture.site().stage(stages(fixture).stage("staging")?))
}

/// Records stages of a commit as passed.
async fn pass(fixture: &Fixture, commit: &str, names: &[&str]) -> Result {
    let (client, _) = fixture.client();
    for name in names {
        let stage = stages(fixture).stage(name)?.commit(commit);
        client.local()?.enter(async { stage.run(local("true")).await }).await?;
    }
    client.close().await;
    Ok(())
}

/// Returns the records of a commit as lines: `staging passed`.
fn records(fixture: &Fixture, commit: &str) -> Vec<String> {
    let tree = fixture.origin.tree();
    GitServer::git(&tree, &["fetch", "--quiet", "origin", "+refs/notes/fabrs:refs/notes/shown"]);
    let note = GitServer::git(&tree, &["notes", "--ref", "shown", "show", commit]);
    let records = note.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    records.map(|record| format!("{} {}", text(&record, "stage"), text(&record, "result"))).collect()
}

fn messages(capture: &CaptureSink) -> String {
    let texts = capture.of_kind("message").into_iter().chain(capture.of_kind("warning"));
    texts.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

fn overriding(settings: Settings) -> Settings {
    settings.override_stages(Some("fixes the checkout".to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_with_a_failed_functional_test_cannot_reach_staging() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let good = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &good, &["unit", "functional"]).await?;
    let bad = fixture.origin.build("deployable-2", &[("version", "two")]);
    pass(&fixture, &bad, &["unit"]).await?;
    let failed = stages(&fixture).stage("functional")?.commit(&bad);
    client.local()?.enter(async { failed.run(local("false")).await }).await.expect_err("the work fails");
    for revision in [None, Some("deployable-2".to_owned()), Some("main".to_owned()), Some(bad.clone())] {
        let refused = staging(&fixture)?.deploy(all(&client)).revision(revision).await;
        let block = refused.expect_err("the commit has not passed").into_error().block().to_string();
        assert!(block.contains("has not passed stage `functional`: failed at "), "{block}");
        assert!(block.contains("--override-stages REASON"), "{block}");
    }
    staging(&fixture)?.deploy(all(&client)).hold().await.expect_err("a hold is refused as well");
    for host in 0..3 {
        assert!(!fixture.root(host).exists(), "no file was created, not even a lock");
    }
    // The work tree has another commit: the deployed commit counts.
    staging(&fixture)?.deploy(all(&client)).revision(good.clone()).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    assert_eq!(records(&fixture, &good), ["unit passed", "functional passed", "staging passed"]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_to_a_part_of_the_hosts_is_refused_and_not_recorded() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    let (client, _) = fixture.client();
    staging(&fixture)?.deploy(all(&client)).hold().await?;
    client.close().await;
    let config = Config::parse("[env.staging]\nroles.web = ['web1', 'web2', 'web3']", "fabrs.toml".as_ref())?;
    let staged = || Inventory::new(&config, Some("staging"));
    let excluding = staged()?.with_excluded(parse_excluded_hosts(&["web2"], &|_| None)?);
    let narrowed = staged()?.with_hosts(parse_host_args(&["web1"])?);
    for (option, inventory) in [("-x", excluding), ("-H", narrowed)] {
        let (client, _) = fixture.client_of(|settings| settings, |builder| builder.inventory(inventory));
        let web = || client.local()?.enter_sync(|| on(role("web")));
        assert!(web()?.connections().len() < 3, "`{option}` narrows the role");
        for refused in [
            staging(&fixture)?.deploy(web()?).await.map(drop),
            staging(&fixture)?.deploy(web()?).hold().await.map(drop),
            staging(&fixture)?.promote(web()?).await.map(drop),
        ] {
            let error = refused.expect_err("web2 would be recorded as passed").into_error();
            let block = error.block().to_string();
            assert!(
                block.contains(&format!("stage `staging` cannot run with `{option}`: a part of the hosts")),
                "{block}"
            );
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
        client.close().await;
    }
    assert_eq!(records(&fixture, &commit), ["unit passed", "functional passed"]);
    assert_eq!(fixture.current(), ["", "", ""]);

    // Without an environment, no other host is declared.
    let typed = Inventory::default().with_hosts(parse_host_args(&["web1"])?);
    let (client, _) = fixture.client_of(|settings| settings, |builder| builder.inventory(typed));
    let web = client.local()?.enter_sync(|| on(role("web")))?;
    staging(&fixture)?.deploy(web).await?;
    assert_eq!(records(&fixture, &commit).last().map(String::as_str), Some("staging passed"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_deploy_is_recorded_as_failed_and_revokes_the_stage() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    staging(&fixture)?.deploy(all(&client)).await?;
    let failing = staging(&fixture)?.build(|_: App| run("exit 3"));
    let error = failing.deploy(all(&client)).await.expect_err("the build fails").into_error();
    assert_eq!(error.kind(), ErrorKind::Exit);
    assert_eq!(records(&fixture, &commit)[2..], ["staging passed", "staging failed"]);
    let smoke = stages(&fixture).stage("smoke")?.commit(&commit);
    let refused = client
        .local()?
        .enter(async { smoke.run(local("true")).await })
        .await
        .expect_err("staging has failed")
        .into_error();
    assert!(refused.message().contains("has not passed stage `staging`: failed at "), "{refused}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_override_is_part_of_the_approval_the_manifest_the_log_the_report_and_the_record() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    let sent = SentReports::default();
    let (client, capture) = fixture.client_with(overriding);
    let live = staging(&fixture)?.notify(sent.clone()).deploy(all(&client)).await?;
    let shown = messages(&capture);
    assert_eq!(shown.matches(" overridden: fixes the checkout").count(), 2, "warning and approval: {shown}");
    assert_eq!(records(&fixture, &commit), ["staging passed"]);
    let root = fixture.root(1);
    let manifest = fs::read_to_string(root.join(format!("releases/{}/.fabrs-release.json", live.release)))?;
    assert!(manifest.contains(r#""stage_override_reason":"fixes the checkout""#), "{manifest}");
    let log = fs::read_to_string(root.join("revisions.log"))?;
    assert!(log.trim_end().ends_with("(stages overridden: fixes the checkout)"), "{log}");
    let sent = sent.0.lock().expect("no panic while the record was locked").clone();
    assert_eq!(sent[0].stage_override_reason.as_deref(), Some("fixes the checkout"));
    assert!(sent[0].text().contains("\nstages overridden: fixes the checkout"), "{}", sent[0].text());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_checks_again_and_records_while_a_hold_does_not() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    staging(&fixture)?.deploy(all(&client)).hold().await?;
    assert_eq!(records(&fixture, &commit), ["unit passed", "functional passed"]);
    let unit = stages(&fixture).stage("unit")?.commit(&commit);
    client.local()?.enter(async { unit.run(local("false")).await }).await.expect_err("the work fails");
    let refused = staging(&fixture)?.promote(all(&client)).await.expect_err("a pass was revoked").into_error();
    assert!(refused.message().contains("has not passed stage `unit`"), "{refused}");
    assert_eq!(fixture.current(), ["", "", ""]);
    pass(&fixture, &commit, &["unit"]).await?;
    staging(&fixture)?.promote(all(&client)).await?;
    assert_eq!(records(&fixture, &commit).last().map(String::as_str), Some("staging passed"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_fails_during_the_wait_for_the_lock_is_refused_despite_an_override() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    let (other, _) = fixture.client();
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    staging(&fixture)?.deploy(all(&other)).hold().await?;
    for ((client, capture), end) in [
        (fixture.client(), "has not passed stage `unit`: failed at "),
        (fixture.client_with(overriding), "the stage failed after the approval: this run changed nothing"),
    ] {
        for is_promotion in [false, true] {
            pass(&fixture, &commit, &["unit"]).await?;
            let held = lock(&fixture, &other).await?;
            let waits = |capture: &CaptureSink| messages(capture).matches("waiting for the lock held by ").count();
            let before = waits(&capture);
            let site = staging(&fixture)?;
            let waiting = async {
                if is_promotion {
                    site.promote(all(&client)).wait(true).await
                } else {
                    site.deploy(all(&client)).wait(true).await
                }
            };
            let revoke = async {
                let capture = Arc::clone(&capture);
                let limit = Duration::from_mins(1);
                let reached = move || wait_until("the run waits for the lock", limit, || waits(&capture) > before);
                tokio::task::spawn_blocking(reached).await?;
                let unit = stages(&fixture).stage("unit")?.commit(&commit);
                let failed = other.local()?.enter(async { unit.run(local("false")).await }).await;
                failed.expect_err("the work fails");
                held.release().await;
                Result::<()>::Ok(())
            };
            let (refused, revoked) = tokio::join!(waiting, revoke);
            revoked?;
            let refused = refused.expect_err("a pass was revoked").into_error();
            assert!(refused.message().contains(end), "{refused}");
            assert_eq!(fixture.current(), ["", "", ""]);
        }
        client.close().await;
    }
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_neither_refused_nor_recorded() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    for (build, version) in [("deployable-1", "one"), ("deployable-2", "two")] {
        fixture.origin.build(build, &[("version", version)]);
        fixture.site().deploy(all(&client)).await?;
    }
    staging(&fixture)?.rollback(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    let notes = GitServer::git(&fixture.origin.tree(), &["ls-remote", "origin", "refs/notes/*"]);
    assert_eq!(notes, "");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_release_stays_live_without_its_record() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    GitServer::git(&fixture.dir().join("served/shop.git"), &["config", "daemon.receivepack", "false"]);
    staging(&fixture)?.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    assert!(messages(&capture).contains("could not record stage `staging` as passed for "), "{}", messages(&capture));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_remote_delays_neither_the_report_nor_the_end_of_a_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    pass(&fixture, &commit, &["unit", "functional"]).await?;
    // The kernel accepts connections to a socket that no program reads.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let (tree, url) = (fixture.origin.tree(), format!("git://{}/shop.git", silent.local_addr()?));
    let sent = SentReports::default();
    let silence = move |_: App| {
        GitServer::git(&tree, &["remote", "set-url", "origin", &url]);
        async { Result::<()>::Ok(()) }
    };
    let site = staging(&fixture)?.notify(sent.clone()).post_deploy(silence);
    within_limit(site.deploy(all(&client)).into_future()).await?;
    assert_eq!(sent.0.lock().expect("no panic while the record was locked").len(), 1);
    let shown = messages(&capture);
    assert!(
        shown.contains("could not record stage `staging` as passed for ") && shown.contains("timed out"),
        "{shown}"
    );
    let smoke = stages(&fixture).stage("smoke")?.commit(&commit);
    let refused = within_limit(client.local()?.enter(async { smoke.run(local("true")).await })).await;
    let refused = refused.expect_err("the records are not readable").into_error();
    assert!(refused.message().contains("could not read the pipeline records of `origin`: git timed out"), "{refused}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_the_refusal_and_plans_the_record() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    staging(&fixture)?.deploy(all(&client)).await?;
    let shown = messages(&capture);
    assert!(shown.contains("has not passed stage `unit`") && shown.contains("new  deployable-1 ("), "{shown}");
    let planned: Vec<_> = capture.of_kind("planned").iter().map(ToString::to_string).collect();
    assert!(planned.iter().any(|plan| plan.contains("record stage `staging` as passed for ")), "{planned:#?}");
    let notes = GitServer::git(&fixture.origin.tree(), &["ls-remote", "origin", "refs/notes/*"]);
    assert_eq!(notes, "");
    client.close().await;
    Ok(())
}
