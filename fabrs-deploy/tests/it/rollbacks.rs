//! Going back, and what is said of where everything stands.

use std::fs;

use fabrs::ErrorKind;
use fabrs::event::CaptureSink;
use fabrs::prelude::Result;

use crate::ground::{Ground, all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_to_the_last_good_release_that_all_hosts_have_and_then_further_back() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, _) = ground.client();
    let site = ground.site();
    let mut releases = Vec::new();
    for version in ["one", "two", "three", "four"] {
        ground.origin.build(&format!("deployable-{}", releases.len() + 1), &[("version", version)]);
        releases.push(site.deploy(all(&client)).await?.release);
    }
    // Another history on one host, and something that is nobody's business.
    fs::remove_dir_all(ground.root(1).join("releases").join(releases[2].as_str()))?;
    fs::create_dir(ground.root(0).join("releases/backup"))?;

    let back = site.rollback(all(&client)).await?;
    assert_eq!((&back.release, back.revision.name.as_str()), (&releases[1], "deployable-2"));
    assert_eq!(ground.live("version"), ["two"; 3]);
    site.rollback(all(&client)).await?;
    assert_eq!(ground.live("version"), ["one"; 3]);
    let error = site.rollback(all(&client)).await.expect_err("there is none before").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);

    let error = site.rollback(all(&client)).to(releases[2].clone()).await.expect_err("web2 has it not").into_error();
    assert_eq!(error.to_string(), format!("there is no release {} on web2", releases[2]));
    site.rollback(all(&client)).to(releases[3].clone()).await?;
    assert_eq!(ground.live("version"), ["four"; 3]);
    assert!(ground.root(0).join("releases/backup").is_dir());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_out_of_step_is_said_to_be_and_the_next_deploy_mends_it() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, told) = ground.client();
    let site = ground.site().keep_releases(2);
    for version in ["one", "two", "three"] {
        ground.origin.build(&format!("deployable-{version}"), &[("version", version)]);
        site.deploy(all(&client)).revision(format!("deployable-{version}")).await?;
    }
    let kept = ground.names(2, "releases");
    assert_eq!(kept.len(), 2, "{kept:?}");
    let current = ground.root(2).join("current");
    fs::remove_file(&current)?;
    std::os::unix::fs::symlink(format!("releases/{}", kept[0]), &current)?;

    site.status(all(&client)).await?;
    let said = told.of_kind("message");
    let said = said.iter().filter(|said| said["stream"] == "stdout").filter_map(|said| said["text"].as_str());
    let said = said.collect::<String>();
    let web3 = said.lines().find(|line| line.starts_with("web3")).unwrap_or_default();
    assert!(web3.contains(&kept[0]) && web3.ends_with("out of step"), "{said}");
    assert_eq!(said.matches("out of step").count(), 1, "{said}");

    site.deploy(all(&client)).revision("deployable-three".to_owned()).await?;
    assert_eq!(ground.live("version"), ["three"; 3]);
    client.close().await;
    Ok(())
}

/// Returns what was said on stdout.
fn answers(told: &CaptureSink) -> String {
    let said = told.of_kind("message");
    said.iter().filter(|said| said["stream"] == "stdout").filter_map(|said| said["text"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_down_and_a_lock_are_seen_in_the_status_of_all() -> Result {
    let Some(mut ground) = Ground::start() else { return Ok(()) };
    let (client, _) = ground.client();
    let site = ground.site();
    ground.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    site.lock(all(&client), "the database moves").await?;
    client.close().await;
    ground.hosts[2].stop();

    let (client, told) = ground.client();
    let error = site.status(all(&client)).await.expect_err("one is down");
    assert_eq!(error.kind(), ErrorKind::Connect);
    let said = answers(&told);
    assert!(said.lines().any(|line| line.starts_with("web3") && line.ends_with("can't be asked")), "{said}");
    assert_eq!(said.matches("the database moves").count(), 2, "{said}");
    assert_eq!(said.matches("deployable-1 (").count(), 2, "{said}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_was_never_seen_to_work_with_is_said_so_and_is_no_way_back() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, told) = ground.client();
    let site = ground.site();
    let mut releases = Vec::new();
    for version in ["one", "two", "three"] {
        ground.origin.build(&format!("deployable-{}", releases.len() + 1), &[("version", version)]);
        releases.push(site.deploy(all(&client)).await?.release);
    }
    // As a run leaves them that was killed after the switch.
    for (host, release) in [(1, &releases[1]), (2, &releases[2])] {
        fs::remove_file(ground.root(host).join("releases").join(release.as_str()).join(".fabrs-works"))?;
    }
    site.status(all(&client)).await?;
    site.releases(all(&client)).await?;
    let said = answers(&told);
    assert_eq!(said.matches("may not have taken it up").count(), 1, "{said}");
    assert_eq!(said.matches("was not seen to work everywhere").count(), 2, "{said}");
    assert_eq!(site.rollback(all(&client)).await?.release, releases[0]);
    client.close().await;
    Ok(())
}
