//! Hosts that revert by themselves: a release stays live only if the run confirms it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fabrs::config::{Mode, SshConfigSource};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{App, DeployPhase, RestartCommand, Site};
use fabrs_testing::faults::Proxy;
use fabrs_testing::{Process, wait_until};
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, all, is_on, within_limit};

/// The time limit of a wait in these tests.
const LIMIT: Duration = Duration::from_mins(2);

/// The directory of the watchdog in the directory of the site.
pub(crate) const STATE: &str = ".fabrs-host-revert";

/// A site with a service: the file `live` on each host has the loaded version.
pub(crate) fn site(fixture: &Fixture, limit: Duration) -> Site {
    let restart = RestartCommand::run("[ ! -e ../../broken ] && cp version ../../live");
    fixture.site().lock_lease(secs(3)).restart(restart).revert_unless_confirmed(limit)
}

/// Deploys the first version, and creates the build of the second.
pub(crate) async fn deploy_first(fixture: &Fixture, client: &Client) -> Result<String> {
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site(fixture, secs(1)).deploy(all(client)).await?.release.to_string();
    fixture.origin.build("deployable-2", &[("version", "two")]);
    Ok(first)
}

/// Deploys the second version, and cuts the run off in the health checks of all hosts.
/// `before_the_cut` runs first.
pub(crate) async fn cut_off(site: Site, client: &Client, before_the_cut: impl FnOnce()) {
    let reached = Arc::new(Semaphore::new(0));
    let health = Arc::clone(&reached);
    let site = site.health(move |_: App| {
        let reached = Arc::clone(&health);
        async move {
            if probe("cat version").line().await? == "two" {
                reached.add_permits(1);
                std::future::pending::<()>().await;
            }
            Ok::<(), TaskError>(())
        }
    });
    // The end of the block drops the deploy: the lock is released, and nothing is reverted.
    tokio::select! {
        done = site.deploy(all(client)) => panic!("the health check never ends: {done:?}"),
        reached = within_limit(reached.acquire_many(3)) => {
            drop(reached.expect("the semaphore is open"));
            before_the_cut();
        }
    }
}

/// Waits for a condition outside the async runtime.
pub(crate) fn wait(condition: &str, done: impl FnMut() -> bool) {
    tokio::task::block_in_place(|| wait_until(condition, LIMIT, done));
}

/// Returns the watchdog processes of a host.
pub(crate) fn watchdogs(fixture: &Fixture, host: usize) -> Vec<Process> {
    let is_watchdog = |process: &Process| {
        process.cmdline.contains(".fabrs-host-revert/watchdog.sh")
            && fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|cwd| cwd == fixture.root(host))
    };
    Process::all().into_iter().filter(is_watchdog).collect()
}

fn wait_for_the_end_of_all_watchdogs(fixture: &Fixture) {
    wait("no watchdog runs", || (0..3).all(|host| watchdogs(fixture, host).is_empty()));
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Returns the version loaded by the service of each host.
pub(crate) fn loaded(fixture: &Fixture) -> [String; 3] {
    [0, 1, 2].map(|host| read(fixture.root(host).join("live")))
}

pub(crate) fn has_state(fixture: &Fixture, host: usize) -> bool {
    fixture.root(host).join(STATE).exists()
}

/// Returns the id of the second release.
pub(crate) fn second_release(fixture: &Fixture, host: usize, first: &str) -> String {
    let names = fixture.names(host, "releases");
    names.into_iter().find(|name| name != first).expect("the second release was built")
}

/// Waits until every host has returned to the first release by itself.
pub(crate) fn wait_for_reverts(fixture: &Fixture, first: &str) {
    wait("every host is back on its previous release", || {
        fixture.current() == [first; 3] && (0..3).all(|host| fixture.root(host).join(STATE).join("result").exists())
    });
    wait_for_the_end_of_all_watchdogs(fixture);
    assert_eq!(loaded(fixture), ["one"; 3]);
}

/// Returns the printed tables of the status.
pub(crate) async fn status(fixture: &Fixture) -> Result<String> {
    let (client, capture) = fixture.client();
    fixture.site().status(all(&client)).await?;
    client.close().await;
    Ok(messages(&capture))
}

/// Returns all messages of a run.
pub(crate) fn messages(capture: &CaptureSink) -> String {
    capture.of_kind("message").iter().filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_reverts_after_the_loss_of_the_run() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    cut_off(site(&fixture, secs(1)), &client, || ()).await;
    client.close().await;
    wait_for_reverts(&fixture, &first);
    let second = second_release(&fixture, 0, &first);
    for host in 0..3 {
        let root = fixture.root(host);
        let bad = read(root.join("releases").join(&second).join("BAD_RELEASE"));
        assert!(bad.contains(r#""reason":"not confirmed within 1s: reverted by the host""#), "{bad}");
        assert!(!bad.contains("@NOW@") && bad.contains("\"at\":\"2"), "{bad}");
        let log = read(root.join("revisions.log"));
        let entry = format!("{second} reverted to release {first} by the host: not confirmed");
        assert_eq!(log.lines().last(), Some(entry.as_str()));
        assert_eq!(read(root.join("deploy.lock")), "", "the site is unlocked");
    }
    let shown = status(&fixture).await?;
    let remark = format!("{second} was not confirmed: the host returned to {first} at 2");
    assert_eq!(shown.matches(&remark).count(), 3, "{shown}");

    let (client, capture) = fixture.client();
    fixture.site().releases(all(&client)).await?;
    let table = messages(&capture);
    assert!(table.contains("bad: not confirmed within 1s: reverted by the host"), "{table}");
    let live = site(&fixture, secs(1)).deploy(all(&client)).revision("deployable-2".to_owned()).await?;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| live.release.to_string()));
    assert!(!status(&fixture).await?.contains("not confirmed"), "the next switch removes the remark");
    client.close().await;
    Ok(())
}

/// The tools of busybox in the `PATH` of a host. Debian's busybox has no `flock`.
const TOOLS: [&str; 14] =
    ["cat", "cp", "date", "ln", "mkdir", "mv", "printf", "readlink", "rm", "setsid", "sh", "sleep", "tail", "timeout"];

#[test]
fn the_watchdog_needs_only_busybox_and_flock() {
    let dir = tempfile::tempdir().expect("a writable directory");
    let (bin, root) = (dir.path().join("bin"), dir.path().join("site"));
    let path = |name: &str| {
        let found = ["/usr/bin", "/bin"].map(|dir| PathBuf::from(dir).join(name));
        found.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is installed"))
    };
    let link = |target: &Path, link: PathBuf| std::os::unix::fs::symlink(target, link).expect("a new name");
    for release in ["bin", "site/releases/1", "site/releases/2"] {
        fs::create_dir_all(dir.path().join(release)).expect("a writable directory");
    }
    for tool in TOOLS {
        link(&path("busybox"), bin.join(tool));
    }
    link(&path("flock"), bin.join("flock"));
    link(Path::new("releases/2"), root.join("current"));
    for (file, text) in [("releases/1/version", "one"), ("deploy.lock", "the run"), ("deploy.lock.turn", "")] {
        fs::write(root.join(file), text).expect("a writable directory");
    }
    let (arm, watchdog) =
        (include_str!("../../src/deploy/arm_revert.sh"), include_str!("../../src/deploy/revert_watchdog.sh"));
    let settings = ["run", "2", "1", "1", "locked at @NOW@", "entry", "bad at @NOW@", "cp version ../../live || exit"];
    let mut start = Command::new(bin.join("sh"));
    start.args(["-c", arm, "sh"]).arg(&root).args(settings).arg(watchdog).env_clear().env("PATH", &bin);
    assert!(start.status().is_ok_and(|status| status.success()));
    wait_until("the host has reverted", LIMIT, || root.join(STATE).join("result").exists());
    assert_eq!(fs::read_link(root.join("current")).ok().as_deref(), Some(Path::new("releases/1")));
    assert_eq!(read(root.join("live")), "one");
    assert!(read(root.join("releases/2/BAD_RELEASE")).starts_with("bad at 2"));
    assert_eq!(read(root.join(STATE).join("log")), "", "no tool is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_reverts_after_the_loss_of_the_network() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    client.close().await;
    let (proxies, client, _) = proxied(&fixture);
    let stalled = Arc::clone(&proxies);
    let site = site(&fixture, secs(1)).health(move |_: App| {
        let proxies = Arc::clone(&stalled);
        async move {
            if probe("cat version").line().await? == "two" {
                proxies.iter().for_each(Proxy::stall);
                run("true").await?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = within_limit(site.deploy(all(&client)).into_future()).await.expect_err("no network").into_error();
    assert_eq!(error.kind(), ErrorKind::Channel, "{}", error.block());
    wait_for_reverts(&fixture, &first);
    proxies.iter().for_each(Proxy::resume);
    client.close().await;
    Ok(())
}

/// Returns a client with a proxy for each host, and a capture of its events.
pub(crate) fn proxied(fixture: &Fixture) -> (Arc<[Proxy; 3]>, Client, Arc<CaptureSink>) {
    let proxies = [0, 1, 2].map(|host| Proxy::to(fixture.hosts[host].addr()));
    let mut config = read(fixture.ssh_config());
    for (sshd, proxy) in fixture.hosts.iter().zip(&proxies) {
        let port = sshd.port();
        let through = format!("Port {}\n    HostKeyAlias [127.0.0.1]:{port}\n", proxy.port());
        config = config.replace(&format!("Port {port}\n"), &through);
    }
    let path = fixture.dir().join("ssh_config_proxied");
    fs::write(&path, config).expect("a writable directory");
    let (client, capture) = fixture.client_with(|settings| settings.ssh_config(SshConfigSource::File(path)));
    (Arc::new(proxies), client, capture)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_deploy_outlasts_its_limit_and_leaves_no_watchdog() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    deploy_first(&fixture, &client).await?;
    // While the run is connected, the limit of one second does not pass.
    let slow = site(&fixture, secs(1)).rolling(1).health(|_| run("sleep 3"));
    let second = slow.deploy(all(&client)).await?.release.to_string();
    assert!((0..3).all(|host| !has_state(&fixture, host)));
    wait_for_the_end_of_all_watchdogs(&fixture);
    assert_eq!(fixture.current(), [second.as_str(); 3]);
    assert_eq!(loaded(&fixture), ["two"; 3]);
    assert!((0..3).all(|host| !read(fixture.root(host).join("revisions.log")).contains("by the host")));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_by_the_run_leaves_no_watchdog() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let failing = site(&fixture, mins(5)).health(|_| probe("[ \"$(cat version)\" = one ]"));
    failing.deploy(all(&client)).await.expect_err("the check fails");
    assert_eq!(fixture.current(), [first.as_str(); 3]);
    assert!((0..3).all(|host| !has_state(&fixture, host)));
    wait_for_the_end_of_all_watchdogs(&fixture);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_completes_the_revert_of_a_run_cut_off_during_the_revert() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let reached = Arc::new(Semaphore::new(0));
    let reverting = Arc::clone(&reached);
    let site = site(&fixture, secs(1))
        .health(|_| probe("[ \"$(cat version)\" = one ]"))
        // The run links `current` back, and is cut off before the restart.
        .before(DeployPhase::Restart, move |_: App| {
            let reached = Arc::clone(&reverting);
            async move {
                if probe("cat version").line().await? == "one" {
                    reached.add_permits(1);
                    std::future::pending::<()>().await;
                }
                Ok::<(), TaskError>(())
            }
        });
    tokio::select! {
        done = site.deploy(all(&client)) => panic!("the revert never ends: {done:?}"),
        reached = within_limit(reached.acquire_many(3)) => drop(reached?),
    }
    assert_eq!(loaded(&fixture), ["two"; 3]);
    client.close().await;
    wait_for_reverts(&fixture, &first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_deploy_cancels_a_pending_revert() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    cut_off(site(&fixture, mins(5)), &client, || ()).await;
    client.close().await;
    wait("the watchdogs have noticed the loss", || {
        (0..3).all(|host| !read(fixture.root(host).join(STATE).join("lost")).is_empty())
    });
    let shown = status(&fixture).await?;
    assert_eq!(shown.matches("unconfirmed, reverts in 5 min").count(), 3, "{shown}");
    let second = second_release(&fixture, 0, &first);
    let (client, capture) = fixture.client();
    let list = fixture.site().read_releases(all(&client)).await?;
    assert_eq!(list.releases[0].unconfirmed_on, ["web1", "web2", "web3"]);

    fixture.origin.build("deployable-3", &[("version", "three")]);
    let third = fixture.site().restart(|_| run("cp version ../../live")).deploy(all(&client)).await?;
    let note = format!("this run cancels the pending revert of release {second}, left by an earlier run");
    let notes = capture.of_kind("message");
    assert_eq!(notes.iter().filter(|message| message["text"] == note.as_str()).count(), 3, "{notes:?}");
    wait_for_the_end_of_all_watchdogs(&fixture);
    assert!((0..3).all(|host| !has_state(&fixture, host)));
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| third.release.to_string()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_during_another_deploy_cancels_no_revert() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let reached = Arc::new(Semaphore::new(0));
    let health = Arc::clone(&reached);
    let site = site(&fixture, secs(1));
    let blocked = site.clone().health(move |_: App| {
        let reached = Arc::clone(&health);
        async move {
            reached.add_permits(1);
            std::future::pending::<Result>().await
        }
    });
    let (planning, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    let plan = async {
        drop(within_limit(reached.acquire_many(3)).await?);
        site.deploy(all(&planning)).await
    };
    tokio::select! {
        done = blocked.deploy(all(&client)) => panic!("the health check never ends: {done:?}"),
        planned = plan => drop(planned?),
    }
    let shown = messages(&capture);
    assert!(!shown.contains("this run cancels the pending revert"), "{shown}");
    planning.close().await;
    client.close().await;
    wait_for_reverts(&fixture, &first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_another_live_release_is_left_alone() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let current = fixture.root(0).join("current");
    cut_off(site(&fixture, secs(1)), &client, || {
        fs::remove_file(&current).expect("root removes the link");
        std::os::unix::fs::symlink(format!("releases/{first}"), &current).expect("root writes the link");
    })
    .await;
    client.close().await;
    wait("the other hosts are reverted", || {
        (1..3).all(|host| fixture.root(host).join(STATE).join("result").exists()) && !has_state(&fixture, 0)
    });
    wait_for_the_end_of_all_watchdogs(&fixture);
    assert_eq!(fixture.current(), [first.as_str(); 3]);
    assert_eq!(loaded(&fixture), ["two", "one", "one"], "web1 was not restarted");
    let second = second_release(&fixture, 0, &first);
    assert!(!fixture.root(0).join("releases").join(second).join("BAD_RELEASE").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmed_first_deploy_leaves_no_live_release() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "two")]);
    cut_off(site(&fixture, secs(1)), &client, || ()).await;
    client.close().await;
    wait("no release is live", || (0..3).all(|host| fixture.root(host).join(STATE).join("result").exists()));
    assert_eq!(fixture.current(), [""; 3]);
    for host in 0..3 {
        let [release] = &fixture.names(host, "releases")[..] else { panic!("one release was built") };
        assert!(fixture.root(host).join("releases").join(release).join("BAD_RELEASE").exists());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_cut_off_returns_to_the_release_before_it_and_keeps_its_target_good() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-0", &[("version", "two")]);
    let target = site(&fixture, secs(1)).deploy(all(&client)).await?.release.to_string();
    let live = deploy_first(&fixture, &client).await?;
    let reached = Arc::new(Semaphore::new(0));
    let health = Arc::clone(&reached);
    let site = site(&fixture, secs(1)).health(move |_: App| {
        health.add_permits(1);
        std::future::pending::<Result>()
    });
    tokio::select! {
        done = site.rollback(all(&client)) => panic!("the health check never ends: {done:?}"),
        reached = within_limit(reached.acquire_many(3)) => drop(reached?),
    }
    assert_eq!(fixture.current(), [target.as_str(); 3]);
    client.close().await;
    wait_for_reverts(&fixture, &live);
    assert!((0..3).all(|host| !fixture.root(host).join("releases").join(&target).join("BAD_RELEASE").exists()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_cut_off_is_reverted() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let held = site(&fixture, secs(1)).deploy(all(&client)).hold().await?.release.to_string();
    assert!((0..3).all(|host| !has_state(&fixture, host)));
    let reached = Arc::new(Semaphore::new(0));
    let health = Arc::clone(&reached);
    let site = site(&fixture, secs(1)).health(move |_: App| {
        health.add_permits(1);
        std::future::pending::<Result>()
    });
    tokio::select! {
        done = site.promote(all(&client)) => panic!("the health check never ends: {done:?}"),
        reached = within_limit(reached.acquire_many(3)) => drop(reached?),
    }
    assert_eq!(fixture.current(), [held.as_str(); 3]);
    client.close().await;
    wait_for_reverts(&fixture, &first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_second_promotion_keeps_the_watchdog_of_the_first() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let held = site(&fixture, mins(5)).deploy(all(&client)).hold().await?.release.to_string();
    let reached = Arc::new(Semaphore::new(0));
    let health = Arc::clone(&reached);
    let interrupted = site(&fixture, mins(5)).rolling(1).health(move |_: App| {
        health.add_permits(1);
        std::future::pending::<Result>()
    });
    tokio::select! {
        done = interrupted.promote(all(&client)) => panic!("the health check never ends: {done:?}"),
        reached = within_limit(reached.acquire()) => drop(reached?),
    }
    assert_eq!(fixture.current(), [held.clone(), first.clone(), first.clone()]);

    let failing = site(&fixture, mins(5)).rolling(1).health(|app: App| async move {
        ensure!(!is_on(&app, "web2") || probe("cat version").line().await? == "one", "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    failing.promote(all(&client)).await.expect_err("web2 is unhealthy");
    assert_eq!(fixture.current(), [held.clone(), first.clone(), first]);
    assert_eq!([0, 1, 2].map(|host| has_state(&fixture, host)), [true, false, false]);
    let shown = messages(&capture);
    assert!(shown.contains(&format!("web1  back on {held}, unconfirmed, reverts by itself\n")), "{shown}");
    client.close().await;
    Ok(())
}
