//! The lock of a site: one deploy at a time, manual locks, and lost locks.

use std::sync::Arc;
use std::time::Duration;

use fabrs::Lock;
use fabrs::config::Mode;
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::App;
use fabrs_testing::wait_until;
use tokio::sync::{Notify, Semaphore};

use crate::fixture::{Fixture, all, is_on};

/// The time limit of a wait in these tests.
const LIMIT: Duration = Duration::from_mins(1);

/// Locks the site like a deploy.
pub(crate) async fn lock(fixture: &Fixture, client: &Client) -> Result<Lock> {
    let hosts = all(client);
    let mut request = hosts.lock("deploy").purpose("deploy of deployable-9");
    for host in hosts.connections().iter().filter_map(Connection::host) {
        request = request.dir(host, fixture.site_folder());
    }
    Ok(request.await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_lock_refuses_every_operation_before_the_approval() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (other, _) = fixture.client();
    let site = fixture.site();
    for (tag, version) in [("deployable-1", "one"), ("deployable-2", "two"), ("deployable-3", "three")] {
        fixture.origin.build(tag, &[("version", version)]);
        match tag {
            "deployable-3" => drop(site.deploy(all(&other)).hold().await?),
            _ => drop(site.deploy(all(&other)).await?),
        }
    }
    let held = lock(&fixture, &other).await?;
    let (client, capture) = fixture.client();
    let errors = [
        site.deploy(all(&client)).await.map(drop),
        site.deploy(all(&client)).hold().await.map(drop),
        site.promote(all(&client)).await.map(drop),
        site.rollback(all(&client)).await.map(drop),
        site.abort(all(&client)).await,
    ]
    .map(|result| result.expect_err("the site is locked").into_error().without_location().block().to_string());
    assert_eq!(capture.of_kind("message"), Vec::<serde_json::Value>::new(), "no approval was shown");
    let late = lock(&fixture, &client).await.expect_err("the site is locked").into_error();
    let late = late.without_location().block().to_string();
    assert!(late.contains("web1: locked by ") && late.contains("deploy of deployable-9"), "{late}");
    assert_eq!(errors, [0; 5].map(|_| late.clone()));
    client.close().await;

    let (client, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    site.deploy(all(&client)).await?;
    let warnings = capture.of_kind("warning");
    let warned = warnings.iter().filter_map(|warning| warning["text"].as_str()).collect::<Vec<_>>().join("\n");
    assert!(warned.starts_with("locked by ") && warned.ends_with("a run without `-n` is refused now"), "{warned}");
    client.close().await;
    held.release().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_deploy_fails_and_names_the_holder_of_the_lock() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (one, _) = fixture.client();
    let (other, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    // Each build waits until the other deploy has ended or has reached its own build.
    let (entered, done) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let site = {
        let (entered, done) = (Arc::clone(&entered), Arc::clone(&done));
        fixture.site().build(move |_| {
            let (entered, done) = (Arc::clone(&entered), Arc::clone(&done));
            async move {
                entered.add_permits(1);
                tokio::select! {
                    () = done.notified() => done.notify_one(),
                    all = entered.acquire_many(6) => drop(all?),
                }
                Result::<()>::Ok(())
            }
        })
    };
    let deploy = |client| {
        let (deploy, done) = (site.deploy(all(client)), Arc::clone(&done));
        async move {
            let result = deploy.await;
            done.notify_one();
            result
        }
    };
    let results = tokio::join!(deploy(&one), deploy(&other));
    let ((Ok(done), Err(error)) | (Err(error), Ok(done))) = results else {
        panic!("one deploy succeeds and the other is refused: {results:?}")
    };
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::Task);
    let block = error.block().to_string();
    assert!(
        block.contains("locked by ") && block.contains(" since 2") && block.contains("deploy of deployable-1"),
        "{block}"
    );
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| done.release.to_string()));
    assert_eq!(fixture.names(0, "releases").len(), 1);
    one.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_deploy_names_the_holder_and_runs_next() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (one, _) = fixture.client();
    let (other, capture): (_, Arc<CaptureSink>) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (building, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let first = {
        let (building, go_on) = (Arc::clone(&building), Arc::clone(&go_on));
        let step = move |_| {
            let (building, go_on) = (Arc::clone(&building), Arc::clone(&go_on));
            async move {
                building.notify_one();
                drop(go_on.acquire().await?);
                Result::<()>::Ok(())
            }
        };
        fixture.site().build(step).deploy(all(&one))
    };
    let second = fixture.site().deploy(all(&other)).wait(true);
    let waits = async {
        building.notified().await;
        let waiting = tokio::task::spawn_blocking({
            let capture = Arc::clone(&capture);
            move || {
                wait_until("the waiting deploy names the holder", LIMIT, || {
                    capture
                        .of_kind("message")
                        .iter()
                        .any(|message| message["text"].to_string().contains("waiting for the lock held by "))
                });
            }
        });
        let (deployed, waited) = tokio::join!(second, async {
            let waited = waiting.await;
            go_on.add_permits(3);
            waited
        });
        waited?;
        deployed
    };
    let (first, second) = tokio::join!(first, waits);
    let (first, second) = (first?, second?);
    assert!(second.release > first.release, "{first:?} {second:?}");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| second.release.to_string()));
    one.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_lock_blocks_deploys_until_it_is_removed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture.site();
    site.lock(all(&client), "the database moves").await?;
    for error in [
        site.deploy(all(&client)).wait(true).await.expect_err("the site is locked").into_error(),
        site.lock(all(&client), "again").await.expect_err("the site is locked"),
    ] {
        assert!(error.block().to_string().contains("the database moves"), "{}", error.block());
    }
    assert_eq!(fixture.current(), ["", "", ""]);
    site.unlock(all(&client)).await?;
    let messages = capture.of_kind("message");
    assert_eq!(
        messages.iter().filter(|message| message["text"].to_string().contains("was locked by")).count(),
        3,
        "{messages:?}"
    );
    site.unlock(all(&client)).await?;
    site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    let error = site.lock(all(&client), " ").await.expect_err("the reason is empty");
    assert_eq!(error.kind(), ErrorKind::Usage);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lock_reverts_the_other_hosts_and_leaves_its_host_alone() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = fixture.site().deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let lock = fixture.root(1).join("deploy.lock").to_string_lossy().into_owned();
    let losing = fixture.site().build(move |app: App| {
        let lock = lock.clone();
        async move {
            if is_on(&app, "web2") {
                // The shell with the open lock file holds the lock.
                let holders = cmd!("for fd in /proc/[0-9]*/fd/9; do [ \"$(readlink $fd)\" = {lock} ] && p=${fd%/fd/9} && kill -KILL ${p#/proc/}; done; true");
                run(holders).await?;
            }
            // This loop ignores TERM, and writes until it is killed.
            run("trap '' TERM; while :; do mkdir -p x && touch x/$$; done").await?;
            Result::<()>::Ok(())
        }
    });
    let error = losing.deploy(all(&client)).await.expect_err("the lock is lost").into_error();
    assert_eq!(error.kind(), ErrorKind::Channel, "{}", error.block());
    assert!(
        error.to_string().contains("this run no longer changes the host: the process of the lock has ended"),
        "{error}"
    );
    client.close().await;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.release.to_string()));
    assert_eq!(fixture.names(0, "releases"), [first.release.to_string()], "the release is removed from locked hosts");
    assert_eq!(fixture.names(1, "releases").len(), 2, "the host without the lock is not changed");

    let (client, _) = fixture.client();
    let second = fixture.site().deploy(all(&client)).await?;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| second.release.to_string()));
    for host in 0..3 {
        assert_eq!(fixture.names(host, "releases"), [&first.release, &second.release].map(ToString::to_string));
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_lost_after_the_last_health_check_reverts_nothing() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let lock = fixture.root(0).join("deploy.lock").to_string_lossy().into_owned();
    let late = fixture.site().post_deploy(move |_| {
        let lock = lock.clone();
        async move {
            let holders = cmd!("for fd in /proc/[0-9]*/fd/9; do [ \"$(readlink $fd)\" = {lock} ] && p=${fd%/fd/9} && kill -KILL ${p#/proc/}; done; true");
            run(holders).await?;
            run("sleep 600").await?;
            Result::<()>::Ok(())
        }
    });
    let error = late.deploy(all(&client)).await.expect_err("the lock is lost").into_error();
    assert!(error.block().to_string().contains("is live, and stays"), "{}", error.block());
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}
