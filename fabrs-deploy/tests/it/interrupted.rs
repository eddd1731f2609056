//! Stopped deploys and lost hosts: afterwards, all hosts have the same release, or the output lists
//! the hosts that differ.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fabrs::config::{Mode, OnUnreachable};
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_deploy::{App, Webhook};
use fabrs_testing::receivers::http;

use crate::fixture::{Fixture, all, is_on};

/// Deploys a first release. The file `live` on each host has the version loaded by its services.
async fn deploy_first(fixture: &Fixture, client: &Client) -> Result<String> {
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let release = fixture.site().restart(|app: App| restart_service(&app)).deploy(all(client)).await?.release;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    Ok(release.to_string())
}

/// Restarts the services to load the live release.
fn restart_service(app: &App) -> Command {
    let live = format!("{}/live", app.root());
    run(cmd!("cp version {live}"))
}

/// Restarts the services. On web2, the restart of the second version stops the run.
async fn stop_on_web2(app: App) -> Result<(), TaskError> {
    let is_new = probe("cat version").line().await? == "two";
    restart_service(&app).await?;
    if is_new && is_on(&app, "web2") {
        current().client().context("the connection has a client")?.stop().raise(StopLevel::Stop);
        run("sleep 600").await?;
    }
    Ok(())
}

/// Asserts the live release, the loaded version and the number of releases on all hosts.
#[track_caller]
fn assert_all_are_on(fixture: &Fixture, release: &str, version: &str, releases: usize) {
    assert_eq!(fixture.current(), [release; 3]);
    for host in 0..3 {
        assert_eq!(
            fs::read_to_string(fixture.root(host).join("live")).ok().as_deref(),
            Some(version),
            "web{}",
            host + 1
        );
        assert_eq!(fixture.names(host, "releases").len(), releases, "web{}", host + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_during_the_build_removes_the_release_and_unlocks_the_site() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let stopped = fixture.site().restart(|app: App| restart_service(&app)).build(|app: App| async move {
        if is_on(&app, "web2") {
            current().client().context("the connection has a client")?.stop().raise(StopLevel::Stop);
        }
        run("sleep 600").await?;
        Ok::<(), TaskError>(())
    });
    let error = stopped.deploy(all(&client)).await.expect_err("the run was stopped").into_error();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    client.close().await;
    assert_all_are_on(&fixture, &first, "one", 1);

    let (client, _) = fixture.client();
    let second = fixture.site().restart(|app: App| restart_service(&app)).deploy(all(&client)).await?;
    assert_all_are_on(&fixture, second.release.as_str(), "two", 2);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_deploy_is_reported_as_cancelled_and_not_as_failed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let hook = http("200 OK");
    let first = deploy_first(&fixture, &client).await?;
    let site = fixture.site().name("shop").notify(Webhook::post(format!("http://{}/", hook.addr())));
    let stopped = site.restart(stop_on_web2);
    let error = stopped.deploy(all(&client)).await.expect_err("the run was stopped").into_error();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    let report = hook.receive().body;
    assert_eq!((&report["action"], &report["outcome"]), (&"deploy".into(), &"cancelled".into()), "{report}");
    let text = report["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("[shop] deploy of deployable-2 (") && text.contains(" cancelled, release "), "{text}");
    assert!(text.contains(&format!("web2  back on {first}")), "{text}");
    let messages = capture.of_kind("message");
    let shown =
        |part: &str| messages.iter().any(|message| message["text"].as_str().is_some_and(|text| text.contains(part)));
    assert!(shown("cancelled: reverting ") && !shown("failed"), "{messages:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_after_the_switch_reverts_all_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let stopped = fixture.site().rolling(1).restart(stop_on_web2);
    let error = stopped.deploy(all(&client)).await.expect_err("the run was stopped").into_error();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    client.close().await;
    assert_all_are_on(&fixture, &first, "one", 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_host_fails_the_deploy_before_any_change_or_is_skipped_on_request() -> Result {
    let Some(mut fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    client.close().await;
    fixture.hosts[2].stop();
    let (client, _) = fixture.client();
    let error = fixture
        .site()
        .restart(|app: App| restart_service(&app))
        .deploy(all(&client))
        .await
        .expect_err("web3 is unreachable")
        .into_error();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.block().to_string().contains("web3"), "{}", error.block());
    assert_all_are_on(&fixture, &first, "one", 1);
    client.close().await;

    let (client, capture) = fixture.client_with(|settings| settings.on_unreachable(OnUnreachable::Skip));
    let second =
        fixture.site().restart(|app: App| restart_service(&app)).deploy(all(&client)).await?.release.to_string();
    assert_eq!(fixture.current(), [second.clone(), second, first]);
    let warnings = capture.of_kind("warning");
    assert_eq!(warnings.iter().filter(|warning| warning["host"] == "web3").count(), 1, "{warnings:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_lost_during_the_deploy_is_named_with_its_state_and_the_others_are_reverted() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let fixture = Arc::new(Mutex::new(fixture));
    let site = fixture.lock().unwrap().site().rolling(1);
    let dying = Arc::clone(&fixture);
    let site = site.restart(move |app: App| {
        let dying = Arc::clone(&dying);
        async move {
            restart_service(&app).await?;
            if is_on(&app, "web3") {
                tokio::task::spawn_blocking(move || dying.lock().unwrap().hosts[2].stop()).await?;
                run("true").await?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let deploy = site.deploy(all(&client));
    drop(site);
    let error = deploy.await.expect_err("web3 was lost").into_error();
    let block = error.block().to_string();
    assert!(block.contains("web3"), "{block}");
    let messages = capture
        .of_kind("message")
        .iter()
        .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
        .collect::<String>();
    assert!(
        messages.contains(&format!("web1  back on {first}")) && messages.contains(&format!("web2  back on {first}")),
        "{messages}"
    );
    assert!(
        messages.lines().any(|line| line.starts_with("web3  on ") || line.starts_with("web3  may be on ")),
        "{messages}"
    );
    client.close().await;

    let mut fixture = Arc::into_inner(fixture).context("the deploy is over")?.into_inner()?;
    fixture.hosts[2].restart();
    let (client, _) = fixture.client();
    let second = fixture.site().restart(|app: App| restart_service(&app)).deploy(all(&client)).await?;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| second.release.to_string()));
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

/// Returns all paths below a directory with their contents.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            all.push((name, Vec::new()));
            all.extend(snapshot(&path));
        } else {
            let link = fs::read_link(&path).map(|to| to.to_string_lossy().into_owned().into_bytes());
            all.push((name, link.unwrap_or_else(|_| fs::read(&path).unwrap_or_default())));
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_all_phases_and_changes_nothing() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    deploy_first(&fixture, &client).await?;
    client.close().await;
    let before = [0, 1, 2].map(|host| snapshot(&fixture.root(host)));
    let tags = fixture.origin.tags();

    let (client, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    let site = fixture.site().restart(|app: App| restart_service(&app)).health(|_| run("true"));
    site.deploy(all(&client)).await?;
    client.close().await;
    let planned: Vec<String> =
        capture.of_kind("planned").iter().map(|planned| planned["operation"].to_string()).collect();
    for part in ["lock `deploy` on 3 hosts", "git fetch", "mv -T", "cp version", "push"] {
        assert!(planned.iter().any(|what| what.contains(part)), "{part}: {planned:#?}");
    }
    assert_eq!([0, 1, 2].map(|host| snapshot(&fixture.root(host))), before);
    assert_eq!(fixture.origin.tags(), tags);
    Ok(())
}
