//! The git source: resolving a revision, agreement of the hosts, and access to the repository.

use fabrs::prelude::*;
use fabrs::{Connection, Error};
use fabrs_deploy::{Git, Site};
use fabrs_testing::GitServer;

use crate::fixture::{Fixture, all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_with_the_name_of_the_branch_is_not_deployed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let reviewed = fixture.origin.build("deployable-1", &[("version", "reviewed")]);
    let tree = fixture.origin.tree();
    GitServer::git(&tree, &["commit", "--quiet", "--allow-empty", "--message", "unreviewed"]);
    GitServer::git(&tree, &["tag", "main"]);
    GitServer::git(&tree, &["push", "--quiet", "origin", "refs/tags/main"]);
    let site = Site::new(fixture.site_folder()).source(Git::at(fixture.origin.url()).branch("main").allow_dirty(true));
    assert_eq!(site.deploy(all(&client)).await?.revision.commit, reviewed);
    let error =
        site.deploy(all(&client)).revision("main".to_owned()).await.expect_err("the name is ambiguous").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.block().to_string().contains("`refs/tags/main` or `refs/heads/main`"), "{}", error.block());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_another_commit_stops_the_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let Some(other) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "reviewed")]);
    other.origin.build("deployable-1", &[("version", "evil")]);
    let (client, _) = fixture.client();
    // The git of web1 is configured to read another repository.
    let redirected = |host: &Connection| {
        let key = format!("url.{}.insteadOf", other.origin.url());
        host.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", key).env("GIT_CONFIG_VALUE_0", fixture.origin.url())
    };
    let hosts = all(&client)
        .connections()
        .iter()
        .enumerate()
        .map(|(n, host)| if n == 0 { redirected(host) } else { host.clone() })
        .collect();
    let error = fixture.site().deploy(Group::new(hosts)).await.expect_err("the hosts disagree").into_error();
    assert!(error.to_string().starts_with("hosts disagree on the build: web1 has deployable-1 ("), "{error}");
    assert_eq!(fixture.current(), ["", "", ""]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_the_tag_of_a_good_build_is_refused_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let good = fixture.origin.build("deployable-1", &[("version", "tested")]);
    fixture.origin.build("untested", &[("version", "untested")]);
    let source = Git::at(fixture.origin.url()).require_good_build().allow_dirty(true);
    let site = fixture.site().source(source);
    for revision in ["main", "untested"] {
        let refused = site.deploy(all(&client)).revision(revision.to_owned()).await;
        let block = refused.expect_err("CI has not tagged this commit").into_error().block().to_string();
        assert!(block.contains(revision) && block.contains("no tag `deployable-*` marks its commit"), "{block}");
        assert!(!fixture.root(0).exists(), "nothing was changed");
    }
    site.deploy(all(&client)).revision(good).await?;
    assert_eq!(fixture.live("version"), ["tested"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_build_is_skipped_until_a_later_deploy_of_the_build_succeeds() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site();
    let one = fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    let two = fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    site.rollback(all(&client)).await?;
    assert_eq!(site.deploy(all(&client)).await?.revision.commit, one, "the last build without a bad mark");
    let warnings = capture.of_kind("warning");
    let skipped = warnings.last().and_then(|warning| warning["text"].as_str());
    assert_eq!(skipped, Some("skipped later builds marked as bad: deployable-2"));
    assert_eq!(site.deploy(all(&client)).revision("deployable-2".to_owned()).await?.revision.commit, two);
    site.deploy(all(&client)).revision("deployable-1".to_owned()).await?;
    assert_eq!(site.deploy(all(&client)).await?.revision.commit, two, "a later deploy of the build has succeeded");
    site.releases(all(&client)).await?;
    let messages = capture.of_kind("message");
    let releases = messages.last().and_then(|message| message["text"].as_str()).unwrap_or_default();
    assert!(!releases.contains("bad: "), "{releases}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_never_chooses_an_earlier_build_than_the_live_one() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    let two = fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    // A second release of the live build fails, so the build is marked as bad.
    let failing = fixture.site().health(|_| run("echo no warehouse; false"));
    failing.deploy(all(&client)).revision("deployable-2".to_owned()).await.unwrap_err();
    assert_eq!(fixture.live("version"), ["two"; 3]);

    let block = site.deploy(all(&client)).await.unwrap_err().into_error().block().to_string();
    assert!(
        block.contains("the live build `deployable-2` is marked as bad, and the last good build is `deployable-1`"),
        "{block}"
    );
    assert!(block.contains("hint: name the build to deploy, `deployable-2` or `deployable-1`"), "{block}");
    assert_eq!(fixture.live("version"), ["two"; 3]);
    assert_eq!(site.deploy(all(&client)).revision("deployable-2".to_owned()).await?.revision.commit, two);

    let block =
        site.deploy(all(&client)).revision("HEAD".to_owned()).await.unwrap_err().into_error().block().to_string();
    assert!(block.contains("`HEAD` is ambiguous"), "{block}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_ssh_program_of_git_is_used() -> Result {
    let folder = tempfile::tempdir()?;
    let (config, called) = (folder.path().join("gitconfig"), folder.path().join("called"));
    std::fs::write(&config, format!("[core]\n\tsshCommand = \"echo >> '{}'; false\"\n", called.display()))?;
    let client = Client::builder().build();
    let here = client.local()?.env("GIT_CONFIG_GLOBAL", config.display().to_string());
    let site = Site::new("/nonexistent/site").source(Git::at("ssh://host.invalid/shop.git").allow_dirty(true));
    let result: std::result::Result<_, Error> =
        site.deploy(Group::new(vec![here])).await.map_err(TaskError::into_error);
    result.expect_err("the repository does not exist");
    assert!(called.exists());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_shows_a_running_deploy_with_its_phase() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let (other, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let look = {
        let (site, hosts) = (fixture.site(), all(&other));
        move |_| {
            let (site, hosts) = (site.clone(), hosts.clone());
            async move { site.status(hosts).await }
        }
    };
    fixture.site().once(look).deploy(all(&client)).await?;
    let messages = capture.of_kind("message");
    let status = messages.last().and_then(|message| message["text"].as_str()).unwrap_or_default();
    let rows = status.lines().filter(|row| {
        row.contains("locked by ") && row.contains(": deploy of deployable-1 (") && row.ends_with("phase `once`")
    });
    assert_eq!(rows.count(), 3, "{status}");
    fixture.site().status(all(&other)).await?;
    let messages = capture.of_kind("message");
    let after = messages.last().and_then(|message| message["text"].as_str()).unwrap_or_default();
    assert!(!after.contains("locked"), "{after}");
    client.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_names_of_one_directory_are_refused_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let again = Group::of(&client, ["web1", "fabrs-test@web1"])?;
    let error = fixture.site().deploy(again).await.expect_err("both names are one host").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("are the same machine, with the same site root `"), "{error}");
    assert!(!fixture.root(0).exists());
    client.close().await;
    Ok(())
}
