//! Limits of parallel restarts: the command line, the group, and the batch size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fabrs::config::{Order, Settings};
use fabrs::prelude::*;
use fabrs_deploy::App;

use crate::fixture::{Fixture, all, is_on};

/// A counter of parallel restarts.
#[derive(Debug, Default)]
struct Overlap {
    now: AtomicUsize,
    most: AtomicUsize,
    restarts: AtomicUsize,
}

impl Overlap {
    async fn restart(&self) -> Result {
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.restarts.fetch_add(1, Ordering::SeqCst);
        run("true").await?;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Returns the largest number of parallel restarts and the number of all restarts, and resets
    /// both.
    fn take(&self) -> (usize, usize) {
        (self.most.swap(0, Ordering::SeqCst), self.restarts.swap(0, Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_obey_the_limits_of_the_run_and_the_group_in_deploys_rollbacks_and_reverts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let overlap = Arc::new(Overlap::default());
    let works = Arc::new(AtomicBool::new(true));
    let (counted, verified) = (Arc::clone(&overlap), Arc::clone(&works));
    let site = fixture
        .site()
        .restart(move |_: App| {
            let counted = Arc::clone(&counted);
            async move { counted.restart().await }
        })
        .health(move |app: App| {
            let works = verified.load(Ordering::SeqCst) || !is_on(&app, "web3");
            async move {
                ensure!(works, "the shop does not answer");
                Ok::<(), TaskError>(())
            }
        });
    let settings_for = |order, limit| Settings::default().order(order).limit(std::num::NonZeroUsize::new(limit));
    // The target of the rollbacks, deployed without limits.
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "good")]);
    site.deploy(all(&client)).await?;
    assert_eq!(overlap.take(), (3, 3));
    client.close().await;

    let mut builds = 1;
    for (order, limit, of_group, expected) in
        [(Order::Parallel, 2, None, 2), (Order::Parallel, 0, Some(1), 1), (Order::Serial, 0, Some(3), 1)]
    {
        let settings = settings_for(order, limit);
        let (client, _) = fixture.client_with(|defaults| defaults.order(settings.order).limit(settings.limit));
        let hosts = || of_group.map_or_else(|| all(&client), |limit| all(&client).limit(limit));
        let case = format!("{order:?} {limit} {of_group:?}");
        builds += 1;
        fixture.origin.build(&format!("deployable-{builds}"), &[("version", "good")]);
        site.deploy(hosts()).await?;
        assert_eq!(overlap.take(), (expected, 3), "deploy, {case}");
        site.rollback(hosts()).await?;
        assert_eq!(overlap.take(), (expected, 3), "rollback, {case}");

        works.store(false, Ordering::SeqCst);
        builds += 1;
        fixture.origin.build(&format!("deployable-{builds}"), &[("version", "bad")]);
        site.deploy(hosts()).await.expect_err("web3 fails its health check");
        // A restart for the new release, and a restart for the revert.
        assert_eq!(overlap.take(), (expected, 6), "revert, {case}");
        works.store(true, Ordering::SeqCst);
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_batch_size_limits_restarts_unless_the_limit_of_the_run_is_smaller() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let overlap = Arc::new(Overlap::default());
    let counted = Arc::clone(&overlap);
    let site = fixture.site().rolling(2).restart(move |_: App| {
        let counted = Arc::clone(&counted);
        async move { counted.restart().await }
    });
    for (limit, expected) in [(None, 2), (Some(1), 1)] {
        let (client, _) = fixture.client_with(|settings| settings.limit(limit.and_then(std::num::NonZeroUsize::new)));
        fixture.origin.build(&format!("deployable-{expected}"), &[("version", "good")]);
        site.deploy(all(&client)).await?;
        assert_eq!(overlap.take(), (expected, 3), "{limit:?}");
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_includes_every_switched_host_in_a_group_with_stop_on_failure() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let is_reverting = Arc::new(AtomicBool::new(false));
    let (read_flag, write_flag) = (Arc::clone(&is_reverting), Arc::clone(&is_reverting));
    let site = fixture
        .site()
        .restart(move |app: App| {
            let fails = read_flag.load(Ordering::SeqCst) && is_on(&app, "web1");
            async move {
                ensure!(!fails, "the service does not start");
                Ok::<(), TaskError>(())
            }
        })
        .health(move |app: App| {
            let is_bad = app.connection().host().is_some_and(|host| host.name() == "web3");
            let write_flag = Arc::clone(&write_flag);
            async move {
                let good = probe("cat version").line().await? == "good";
                write_flag.store(is_bad && !good, Ordering::SeqCst);
                ensure!(good || !is_bad, "the shop does not answer");
                Ok::<(), TaskError>(())
            }
        });
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "good")]);
    site.deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "bad")]);
    site.deploy(all(&client).serial().stop_on_failure()).await.expect_err("web3 fails its health check");
    assert_eq!(fixture.live("version"), ["good"; 3], "the switch is reverted even if a service does not start");
    client.close().await;
    Ok(())
}
