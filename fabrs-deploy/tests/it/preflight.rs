//! Preflight checks: space, programs, the repository and the database.

use std::fs;

use fabrs::prelude::*;
use fabrs_deploy::{Database, Django, Git};
use fabrs_testing::{GitServer, SmallDisk};

use crate::fixture::{Fixture, all};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_program_or_database_refuses_a_deploy_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let error = fixture.site().require_programs(["no-such-program"]).deploy(all(&client)).await.unwrap_err();
    let text = error.to_string();
    for host in ["web1", "web2", "web3"] {
        assert!(text.contains(&format!("{host}: `no-such-program` is not in the `PATH`")), "{text}");
    }

    // A port without a listener.
    fixture.write(0, "shared/.env", "DATABASE_URL=postgres://shop:wrong-password@127.0.0.1:1/shop\n");
    let django = Django::new().snapshot(Database::from_env_file(".env", "DATABASE_URL"));
    let error = fixture.site().with(django).deploy(all(&client)).await.unwrap_err();
    assert!(error.to_string().contains("connect to the database shop"), "{error}");
    assert_eq!(fixture.names(0, ""), ["shared"], "nothing was changed");
    assert_eq!(fixture.names(1, ""), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn old_releases_are_removed_before_a_build_that_would_not_fit() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.write(0, "shared/notes", "");
    let Some(_disk) = SmallDisk::mount(&fixture.root(0)) else { return Ok(()) };
    // Seven releases do not fit into 1 MiB. The repository compresses the content.
    let content = "x".repeat(150 << 10);
    for build in 1..=7 {
        fixture
            .origin
            .build(&format!("deployable-{build}"), &[("version", &format!("{build}")), ("content", &content)]);
        fixture.site().keep_releases(10).deploy(all(&client)).await?;
    }
    assert_eq!(fixture.live("version"), ["7", "7", "7"]);
    assert_eq!(fixture.names(1, "releases").len(), 7, "a host with enough space keeps its releases");
    let releases = fixture.names(0, "releases");
    assert!((2..7).contains(&releases.len()), "{releases:?}");
    fixture.site().rollback(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["6", "6", "6"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_accepts_a_local_repository_without_a_remote() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let tree = tempfile::tempdir()?;
    GitServer::git(tree.path(), &["init", "--quiet"]);
    GitServer::git(tree.path(), &["commit", "--quiet", "--allow-empty", "--message", "Start the shop"]);
    let site = fixture.site().source(Git::from_local(tree.path().display().to_string()).branch("main"));
    site.preflight(all(&client)).await?;
    site.deploy(all(&client)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_prints_all_hosts_and_names_an_unreadable_repository() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().preflight(all(&client)).await?;
    let printed = capture.of_kind("message").iter().map(ToString::to_string).collect::<String>();
    assert!(
        printed.contains("free") && ["web1", "web2", "web3"].iter().all(|host| printed.contains(host)),
        "{printed}"
    );

    let missing = fixture.dir().join("missing.git");
    let site = fixture.site().source(Git::at(missing.to_string_lossy()));
    let error = site.linked_files(["conf"]).preflight(all(&client)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("web1: cannot read the repository") && text.contains("check the URL"), "{text}");
    assert!(text.contains("shared/conf` is missing"), "{text}");
    assert!(fs::read_dir(fixture.root(0)).is_err(), "nothing was created");
    Ok(())
}
