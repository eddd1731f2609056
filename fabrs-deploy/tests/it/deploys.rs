//! Successful deploys, refused deploys, and deploys reverted after a failure.

use std::fs;

use fabrs::prelude::*;
use fabrs_deploy::{App, Git};

use fabrs_testing::GitServer;

use crate::fixture::{Fixture, all, is_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_makes_the_last_good_build_live_and_keeps_the_earlier_release() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let commit = fixture.origin.build("deployable-9", &[("version", "nine")]);
    let first = fixture.site().deploy(all(&client)).await?;
    assert_eq!((first.revision.name.as_str(), &first.revision.commit), ("deployable-9", &commit));
    assert_eq!(fixture.live("version"), ["nine", "nine", "nine"]);
    assert_eq!(fixture.live("REVISION"), [0, 1, 2].map(|_| format!("{commit}\n")));

    fixture.origin.build("deployable-10", &[("version", "ten")]);
    fixture.origin.build("unfinished", &[("version", "eleven")]);
    let second = fixture.site().deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["ten", "ten", "ten"], "{second:?}");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| second.release.to_string()));
    assert_eq!(fixture.names(0, "releases"), [first.release.to_string(), second.release.to_string()]);

    let log = fs::read_to_string(fixture.root(1).join("revisions.log"))?;
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.contains(&format!("deployed as release {}", second.release)), "{log}");
    assert!(fixture.origin.tags().contains(&format!("deployed-{}", second.release)), "{:?}", fixture.origin.tags());
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_health_check_on_one_host_reverts_all_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "good")]);
    // Records the version loaded by the services of each host.
    let site = fixture.site().restart(|app: App| {
        let live = format!("{}/live", app.root());
        run(cmd!("cp version {live}"))
    });
    let first = site.deploy(all(&client)).await?;

    fixture.origin.build("deployable-2", &[("version", "bad")]);
    let verified = site.clone().health(|app: App| async move {
        ensure!(
            !is_on(&app, "web2") || !probe("cat version").line().await?.contains("bad"),
            "the shop does not answer"
        );
        Ok::<(), TaskError>(())
    });
    let error = verified.deploy(all(&client)).await.expect_err("web2 fails its health check").into_error();
    assert!(error.block().to_string().contains("the shop does not answer"), "{}", error.block());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.release.to_string()));
    for host in 0..3 {
        assert_eq!(fs::read_to_string(fixture.root(host).join("live"))?, "good");
        let bad = fixture.names(host, "releases").pop().context("the releases of both deploys exist")?;
        assert!(fixture.root(host).join("releases").join(bad).join("BAD_RELEASE").exists());
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_linked_file_is_reported_for_every_host_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one"), ("conf/.keep", ""), ("media/of-the-repository", "")]);
    let site = fixture.site().linked_files(["conf/.env"]).linked_dirs(["media", "var/log"]);
    fixture.write(0, "shared/conf/.env", "SECRET");

    let error = site.deploy(all(&client)).await.expect_err("the linked file is missing").into_error();
    let block = error.block().to_string();
    assert_eq!(error.kind(), ErrorKind::Task, "{block}");
    for host in 1..3 {
        let missing = fixture.root(host).join("shared/conf/.env");
        assert!(block.contains(&format!("web{}: `{}` is missing", host + 1, missing.display())), "{block}");
    }
    assert!(!block.contains("web1"), "{block}");
    assert_eq!(fixture.names(0, ""), ["shared"], "nothing was changed");
    assert!(!fixture.root(1).exists(), "nothing was changed");

    for host in 1..3 {
        fixture.write(host, "shared/conf/.env", "SECRET");
    }
    site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("conf/.env"), ["SECRET"; 3]);
    let media = fs::read_link(fixture.root(2).join("current/media"))?;
    assert_eq!(media, fixture.root(2).join("shared/media"));
    assert!(fixture.root(2).join("current/var/log").is_dir());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_accepts_a_tag_a_branch_or_a_commit_and_refuses_an_unknown_name() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let old = fixture.origin.build("v1", &[("version", "one")]);
    fixture.origin.build("v2", &[("version", "two")]);
    for (requested, live) in [("v1", "one"), ("main", "two"), (&old[..], "one")] {
        fixture.site().deploy(all(&client)).revision(requested.to_owned()).await?;
        assert_eq!(fixture.live("version"), [live; 3], "{requested}");
    }
    for (requested, expected) in [(Some("v3"), "no tag or branch `v3`"), (None, "no tag begins with `deployable-`")] {
        let deploy = fixture.site().deploy(all(&client)).revision(requested.map(str::to_owned));
        let error = deploy.await.expect_err("the revision is unknown").into_error();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    let gone = "0123456789".repeat(4);
    let error =
        fixture.site().deploy(all(&client)).revision(gone).await.expect_err("the revision is unknown").into_error();
    assert!(error.block().to_string().contains("has no commit"), "{}", error.block());
    assert_eq!(fixture.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_uploaded_to_hosts_without_access_to_the_repository() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let tree = fixture.origin.tree().to_string_lossy().into_owned();
    let site = fixture.site().source(Git::from_local(tree).allow_dirty(true));
    fixture.origin.build("deployable-1", &[("version", "one"), ("large", &"x".repeat(100_000))]);
    site.deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let second = site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["two"; 3]);
    assert!(fixture.origin.tags().contains(&format!("deployed-{}", second.release)));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uncommitted_and_unpushed_changes_are_refused_unless_allowed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let tree = fixture.origin.tree();
    let folder = tree.to_string_lossy().into_owned();
    let site = fixture.site().source(Git::from_local(&folder));
    site.deploy(all(&client)).await?;

    fs::write(tree.join("conf"), "new")?;
    let error = site.deploy(all(&client)).await.expect_err("the work tree has uncommitted changes").into_error();
    assert!(error.to_string().contains("`conf`") && error.kind() == ErrorKind::Usage, "{error}");
    GitServer::git(&tree, &["add", "conf"]);
    GitServer::git(&tree, &["commit", "--quiet", "--message", "conf"]);
    let error = site.deploy(all(&client)).await.expect_err("the commit is not pushed").into_error();
    assert!(error.to_string().contains("unpushed commits"), "{error}");
    GitServer::git(&tree, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    let index = fs::read(tree.join(".git/index"))?;
    fs::write(tree.join(".git/index"), "damaged")?;
    site.deploy(all(&client)).await.expect_err("git cannot list the changes");
    fs::write(tree.join(".git/index"), index)?;
    fixture.site().source(Git::from_local(&folder).allow_dirty(true)).deploy(all(&client)).await?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_local_repository_is_an_error_with_its_directory() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let folder = fixture.origin.tree().join("missing").display().to_string();
    let site = fixture.site().source(Git::from_local(&folder));
    let error = site.deploy(all(&client)).await.expect_err("no such directory").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert_eq!(error.message(), format!("the directory `{folder}` of the site's repository does not exist"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_tree_is_deployed_and_reverted_and_refused_with_local_changes() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let versions = || [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("version")).unwrap_or_default());
    let site = fixture.site().in_place().rolling(1).build(|_| run("cp version built"));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(versions(), ["one"; 3]);
    fixture.write(1, "uploaded", "by a customer");

    fixture.origin.build("deployable-2", &[("version", "two")]);
    let broken = site.clone().health(|app: App| async move {
        ensure!(!is_on(&app, "web2") || probe("cat version").line().await? == "one", "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(all(&client)).await.expect_err("web2 fails its health check");
    assert_eq!(versions(), ["one"; 3]);
    for host in 0..3 {
        assert_eq!(
            fs::read_to_string(fixture.root(host).join("built"))?,
            "one",
            "the revert builds the earlier version again"
        );
    }

    fixture.origin.build("deployable-3", &[("uploaded", "of the repository")]);
    let error = site.deploy(all(&client)).await.expect_err("the untracked file would be overwritten").into_error();
    assert!(error.block().to_string().contains("would overwrite `uploaded`"), "{}", error.block());
    assert_eq!(fs::read_to_string(fixture.root(1).join("uploaded"))?, "by a customer");
    let site = site.source(Git::at(fixture.origin.url()).allow_dirty(true).good_tag_prefix("deployable-2"));

    fixture.write(2, "version", "by hand");
    let error = site.deploy(all(&client)).await.expect_err("the local change would be overwritten").into_error();
    assert!(error.to_string().contains("web3: `version` has local changes"), "{error}");
    site.status(all(&client)).await?;
    let messages = capture.of_kind("message").iter().map(|message| message["text"].to_string()).collect::<String>();
    assert!(messages.contains("`version` has local changes"), "{messages}");
    fixture.write(2, "version", "one");
    site.deploy(all(&client)).await?;
    assert_eq!(versions(), ["two"; 3]);
    assert_eq!(fs::read_to_string(fixture.root(1).join("uploaded"))?, "by a customer");
    let error = site.rollback(all(&client)).await.expect_err("a work tree has no releases").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_never_causes_the_removal_of_shared_files() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    for host in 0..3 {
        fixture.write(host, "shared/media/thumbs/kettle.png", "a picture");
    }
    let nested = fixture.site().linked_dirs(["media", "media/thumbs"]);
    let error = nested.deploy(all(&client)).await.expect_err("one linked path is inside the other").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);

    // A symlink in the repository also leads to `shared`.
    std::os::unix::fs::symlink("../../shared/media", fixture.origin.tree().join("media"))?;
    fixture.origin.build("deployable-2", &[]);
    let within = fixture.site().linked_dirs(["media/thumbs"]);
    let error = within.deploy(all(&client)).await.expect_err("the link is outside the release").into_error();
    assert!(error.block().to_string().contains("is outside the release"), "{}", error.block());
    for host in 0..3 {
        assert_eq!(fs::read_to_string(fixture.root(host).join("shared/media/thumbs/kettle.png"))?, "a picture");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unwritable_log_does_not_prevent_the_revert() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture.site().restart(|_| run("cp version ../../live"));
    let first = site.deploy(all(&client)).await?;
    let log = fixture.root(1).join("revisions.log");
    fs::remove_file(&log)?;
    fs::create_dir(&log)?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.clone().health(|_| run("grep one version")).deploy(all(&client)).await.expect_err("the health check fails");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.release.to_string()));
    for host in 0..3 {
        assert_eq!(fs::read_to_string(fixture.root(host).join("live"))?, "one");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_mentions_started_services_only_for_hosts_with_a_restart_step() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let failing = fixture.site().on(["web1"], |site| site.restart(|_| run("true"))).health(|_| run("false"));
    failing.deploy(all(&client)).await.expect_err("the first release fails");
    let events = capture.of_kind("message");
    let shown = events.iter().filter_map(|event| event["text"].as_str()).collect::<Vec<_>>().join("\n");
    assert!(shown.contains("web1  no live release, as before; started services still run\n"), "{shown}");
    assert!(shown.contains("web2  no live release, as before\n"), "{shown}");
    client.close().await;
    Ok(())
}
