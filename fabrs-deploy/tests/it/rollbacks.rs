//! Rollbacks, and the tables of `status` and `releases`.

use std::fs;

use fabrs::ErrorKind;
use fabrs::event::CaptureSink;
use fabrs::prelude::Result;

use crate::fixture::{Fixture, all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_returns_to_the_last_good_release_on_all_hosts_and_then_further_back() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    let mut releases = Vec::new();
    for version in ["one", "two", "three", "four"] {
        fixture.origin.build(&format!("deployable-{}", releases.len() + 1), &[("version", version)]);
        releases.push(site.deploy(all(&client)).await?.release);
    }
    // web2 lacks a release, and web1 has a directory from another tool.
    fs::remove_dir_all(fixture.root(1).join("releases").join(releases[2].as_str()))?;
    fs::create_dir(fixture.root(0).join("releases/backup"))?;

    let back = site.rollback(all(&client)).await?;
    assert_eq!((&back.release, back.revision.name.as_str()), (&releases[1], "deployable-2"));
    assert_eq!(fixture.live("version"), ["two"; 3]);
    site.rollback(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    let error = site.rollback(all(&client)).await.expect_err("no earlier release exists").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);

    let error = site
        .rollback(all(&client))
        .to(releases[2].clone())
        .await
        .expect_err("the release is missing on web2")
        .into_error();
    assert_eq!(error.to_string(), format!("release {} does not exist on web2", releases[2]));
    site.rollback(all(&client)).to(releases[3].clone()).await?;
    assert_eq!(fixture.live("version"), ["four"; 3]);
    assert!(fixture.root(0).join("releases/backup").is_dir());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_to_the_live_commit_is_refused_with_the_commit() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    for _ in 0..2 {
        site.deploy(all(&client)).await?;
    }
    let error = site.rollback(all(&client)).await.expect_err("no other commit was deployed").into_error();
    let expected = format!("have the same commit, deployable-1 ({})", &commit[..10]);
    assert!(error.to_string().contains(&expected), "{error}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_another_release_is_marked_in_the_status_and_repaired_by_the_next_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site().keep_releases(2);
    for version in ["one", "two", "three"] {
        fixture.origin.build(&format!("deployable-{version}"), &[("version", version)]);
        site.deploy(all(&client)).revision(format!("deployable-{version}")).await?;
    }
    let kept = fixture.names(2, "releases");
    assert_eq!(kept.len(), 2, "{kept:?}");
    let current = fixture.root(2).join("current");
    fs::remove_file(&current)?;
    std::os::unix::fs::symlink(format!("releases/{}", kept[0]), &current)?;

    site.status(all(&client)).await?;
    let messages = capture.of_kind("message");
    let messages =
        messages.iter().filter(|message| message["stream"] == "stdout").filter_map(|message| message["text"].as_str());
    let messages = messages.collect::<String>();
    let web3 = messages.lines().find(|line| line.starts_with("web3")).unwrap_or_default();
    assert!(web3.contains(&kept[0]) && web3.ends_with("differs from most hosts"), "{messages}");
    assert_eq!(messages.matches("differs from most hosts").count(), 1, "{messages}");

    site.deploy(all(&client)).revision("deployable-three".to_owned()).await?;
    assert_eq!(fixture.live("version"), ["three"; 3]);
    client.close().await;
    Ok(())
}

/// Returns the text printed on stdout.
fn stdout_text(capture: &CaptureSink) -> String {
    let messages = capture.of_kind("message");
    messages
        .iter()
        .filter(|message| message["stream"] == "stdout")
        .filter_map(|message| message["text"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_shows_unreachable_hosts_and_manual_locks() -> Result {
    let Some(mut fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    site.lock(all(&client), "the database moves").await?;
    client.close().await;
    fixture.hosts[2].stop();

    let (client, capture) = fixture.client();
    let error = site.status(all(&client)).await.expect_err("web3 is down");
    assert_eq!(error.kind(), ErrorKind::Connect);
    let messages = stdout_text(&capture);
    assert!(messages.lines().any(|line| line.starts_with("web3") && line.ends_with("unreachable")), "{messages}");
    assert_eq!(messages.matches("the database moves").count(), 2, "{messages}");
    assert_eq!(messages.matches("deployable-1 (").count(), 2, "{messages}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unverified_release_is_marked_in_the_tables_and_skipped_by_a_rollback() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site();
    let mut releases = Vec::new();
    for version in ["one", "two", "three"] {
        fixture.origin.build(&format!("deployable-{}", releases.len() + 1), &[("version", version)]);
        releases.push(site.deploy(all(&client)).await?.release);
    }
    // A run killed after the switch leaves this state.
    for (host, release) in [(1, &releases[1]), (2, &releases[2])] {
        fs::remove_file(fixture.root(host).join("releases").join(release.as_str()).join(".fabrs-works"))?;
    }
    site.status(all(&client)).await?;
    site.releases(all(&client)).await?;
    let messages = stdout_text(&capture);
    assert_eq!(messages.matches("live but not verified").count(), 1, "{messages}");
    assert_eq!(messages.matches("not verified on every host").count(), 2, "{messages}");
    assert_eq!(site.rollback(all(&client)).await?.release, releases[0]);
    client.close().await;
    Ok(())
}
