//! Held releases: built on all hosts, and live on none until they are promoted.

use std::fs;

use fabrs::config::{Config, Confirmation, Inventory};
use fabrs::prelude::*;
use fabrs::transport::{Prompter, StopLevel};
use fabrs::{ClientBuilder, Error};
use fabrs_deploy::{App, Site};
use futures::future::BoxFuture;

use crate::fixture::{Fixture, all};

/// A site with a once-only step and a restart. Each step appends its name to `steps`.
fn site(fixture: &Fixture) -> Site {
    let step = |name: &'static str| {
        move |app: App| {
            let file = format!("{}/steps", app.root());
            run(cmd!("printf '%s\\n' {name} >> {file}"))
        }
    };
    fixture.site().build(step("build")).once(step("once")).restart(step("restart"))
}

/// Deploys a first release, holds a second, and returns the ids of both.
async fn deploy_and_hold(fixture: &Fixture, client: &Client) -> Result<[String; 2]> {
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = fixture.site().deploy(all(client)).await?.release.to_string();
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let held = site(fixture).deploy(all(client)).hold().await?;
    assert_eq!(held.revision.to_string().split(' ').next(), Some("deployable-2"));
    Ok([first, held.release.to_string()])
}

fn steps(fixture: &Fixture, host: usize) -> String {
    fs::read_to_string(fixture.root(host).join("steps")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_release_is_built_on_all_hosts_and_live_after_its_promotion() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let [first, held] = deploy_and_hold(&fixture, &client).await?;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert_eq!([0, 1, 2].map(|host| steps(&fixture, host)), ["build\n"; 3]);
    for host in 0..3 {
        assert_eq!(fixture.names(host, "releases"), [first.clone(), held.clone()]);
    }
    site(&fixture).releases(all(&client)).await?;
    let printed = capture.of_kind("message");
    let table = printed.iter().filter_map(|message| message["text"].as_str()).find(|text| text.contains("held by"));
    assert!(table.is_some_and(|table| table.contains(&held)), "{printed:?}");
    site(&fixture).status(all(&client)).await?;
    let printed = capture.of_kind("message");
    let status = printed.last().and_then(|message| message["text"].as_str()).unwrap_or_default();
    assert_eq!(status.matches(&format!("{held} is held")).count(), 3, "{status}");

    let live = site(&fixture).promote(all(&client)).await?;
    assert_eq!(live.release.to_string(), held);
    assert_eq!(fixture.live("version"), ["two"; 3]);
    assert_eq!(steps(&fixture, 0), "build\nonce\nrestart\n");
    assert_eq!(steps(&fixture, 1), "build\nrestart\n");
    let error = site(&fixture).promote(all(&client)).await.expect_err("the release is live").into_error();
    assert_eq!(error.message(), "no release is held on all hosts");
    site(&fixture).rollback(all(&client)).await?;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_release_is_removed_and_the_live_release_stays() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let [first, held] = deploy_and_hold(&fixture, &client).await?;
    site(&fixture).abort(all(&client)).await?;
    let messages = capture.of_kind("message");
    let removed = messages.iter().filter_map(|message| message["text"].as_str()).rfind(|text| text.contains("removed"));
    assert_eq!(removed.map(str::trim_end), Some(format!("removed the held release {held}").as_str()), "{messages:?}");
    for host in 0..3 {
        assert_eq!(fixture.names(host, "releases"), std::slice::from_ref(&first));
    }
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    let error = site(&fixture).abort(all(&client)).await.expect_err("nothing is held").into_error();
    assert_eq!(error.message(), "no host has a held release");
    client.close().await;
    Ok(())
}

/// A late confirmation: another run has held a release before.
#[derive(Debug)]
struct LatePerson {
    site: Site,
    other: Client,
}

impl Prompter for LatePerson {
    fn line<'a>(&'a self, _: &'a str) -> BoxFuture<'a, fabrs::Result<String>> {
        Box::pin(async move {
            let held = self.site.deploy(all(&self.other)).hold().await;
            held.map_err(TaskError::into_error)?;
            Ok("production".to_owned())
        })
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, fabrs::Result<Secret>> {
        Box::pin(async move { Err(Error::new(ErrorKind::Prompt, format!("{question} is not expected"))) })
    }

    fn is_available(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_held_after_the_approval_is_not_removed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (other, _) = fixture.client();
    let [first, held] = deploy_and_hold(&fixture, &other).await?;
    fixture.origin.build("deployable-3", &[("version", "three")]);
    let person = LatePerson { site: site(&fixture), other: other.clone() };
    let config = Config::parse("[env.production]\nprotected = true", "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("production"))?;
    let change = |builder: ClientBuilder| builder.inventory(inventory).prompter(person).defer_approval();
    let (client, _) = fixture.client_of(|settings| settings.confirmation(Confirmation::Prompt), change);
    site(&fixture).abort(all(&client)).await?;
    let releases = fixture.names(0, "releases");
    assert!(releases.contains(&first) && !releases.contains(&held) && releases.len() == 2, "{releases:?}");
    client.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_promotion_reverts_all_hosts_and_marks_the_release_as_bad() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let [first, held] = deploy_and_hold(&fixture, &client).await?;
    let failing = site(&fixture).health(|_| probe("[ \"$(cat version)\" = one ]"));
    failing.promote(all(&client)).await.expect_err("the check fails");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    for host in 0..3 {
        assert!(fixture.root(host).join("releases").join(&held).join("BAD_RELEASE").exists());
    }
    site(&fixture).promote(all(&client)).await.expect_err("the held release is bad");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_promotion_reverts_all_hosts_and_keeps_the_release_held() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let [first, held] = deploy_and_hold(&fixture, &client).await?;
    let stopping = site(&fixture).health(|_: App| async move {
        if probe("cat version").line().await? == "two" {
            current().client().context("the connection has a client")?.stop().raise(StopLevel::Stop);
            run("sleep 600").await?;
        }
        Ok::<(), TaskError>(())
    });
    let error = stopping.promote(all(&client)).await.expect_err("the run was stopped").into_error();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    client.close().await;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));

    let (client, _) = fixture.client();
    let live = site(&fixture).promote(all(&client)).await?;
    assert_eq!(live.release.to_string(), held);
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_build_leaves_no_held_release() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let failing = fixture.site().build(|_| run("exit 7"));
    failing.deploy(all(&client)).hold().await.expect_err("the build fails");
    for host in 0..3 {
        assert_eq!(fixture.names(host, "releases"), Vec::<String>::new());
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_deploys_keep_a_held_release_and_a_promotion_refuses_to_go_back() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let [_, held] = deploy_and_hold(&fixture, &client).await?;
    for build in ["deployable-3", "deployable-4"] {
        fixture.origin.build(build, &[("version", build)]);
        fixture.site().keep_releases(1).deploy(all(&client)).await?;
    }
    assert!(fixture.names(0, "releases").contains(&held), "{:?}", fixture.names(0, "releases"));
    let error = site(&fixture).promote(all(&client)).await.expect_err("a later release is live").into_error();
    assert!(error.message().starts_with(&format!("the held release {held} is older")), "{error}");
    site(&fixture).promote(all(&client)).release(held.parse::<fabrs_deploy::ReleaseId>()?).await?;
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_tree_cannot_hold_a_release() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let error = fixture.site().in_place().deploy(all(&client)).hold().await.expect_err("in place").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    client.close().await;
    Ok(())
}
