//! Locks lost during a change of the balancer: the change does not overlap with the revert.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, process};

use fabrs::prelude::*;
use fabrs_deploy::{App, Balancer, BalancerFuture, BalancerServer, BlueGreen, HaProxy, HostSubset, ServerState};
use fabrs_testing::wait_until;

use crate::blue_green::Sides;
use crate::drains::{Balanced, list};
use crate::fixture::{Fixture, is_on, within_limit};

/// The time limit of a wait in these tests.
const LIMIT: Duration = Duration::from_mins(1);

/// Ends the process with the open lock file `$1` as its descriptor 9.
const END_LOCK: &str = "for fd in /proc/[0-9]*/fd/9; do \
    [ \"$(readlink $fd)\" = \"$1\" ] && p=${fd%/fd/9} && kill -KILL ${p#/proc/}; done; true";

/// Records an overlap with another change. The descriptor 8 is locked until the end of the command.
const BEGIN: &str = "exec 8> busy && { flock --nonblock 8 || echo overlap >> overlaps; }";

/// Ignores TERM. Waits for the loss of a lock, and then starts a thousand processes before its end.
const CONTINUE: &str = "trap '' TERM; touch begun; until [ -e lost ]; do /bin/true; done; \
    n=0; while [ $n -lt 1000 ]; do n=$((n + 1)); /bin/true; done";

/// HAProxy with a slow change: the change with this number among the changes of a server to a
/// state, counted from one.
struct SlowBalancer {
    haproxy: HaProxy,
    dir: PathBuf,
    server: &'static str,
    state: ServerState,
    number: usize,
    count: Arc<AtomicUsize>,
}

impl Balancer for SlowBalancer {
    fn name(&self) -> String {
        self.haproxy.name()
    }

    fn hosts(&self) -> Option<HostSubset> {
        self.haproxy.hosts()
    }

    fn disabled_state(&self) -> ServerState {
        self.haproxy.disabled_state()
    }

    fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>> {
        self.haproxy.servers(balancer)
    }

    fn set_states(&self, balancer: Connection, states: Vec<(String, ServerState)>) -> BalancerFuture<()> {
        let is_counted = states.iter().any(|(server, state)| server == self.server && *state == self.state);
        let is_slow = is_counted && self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.number;
        let dir = self.dir.display().to_string();
        let set = self.haproxy.set_states(balancer.clone(), states);
        Box::pin(async move {
            let rest = if is_slow { CONTINUE } else { "true" };
            let line = format!("{BEGIN} && {rest}");
            balancer.run(cmd!("cd {dir} && sh -c {line}")).await?;
            set.await
        })
    }
}

/// The files of a slow change.
struct SlowChange {
    dir: tempfile::TempDir,
}

impl SlowChange {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a writable directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("an own directory");
        Self { dir }
    }

    fn balancer(&self, haproxy: HaProxy, server: &'static str, state: ServerState, number: usize) -> SlowBalancer {
        let dir = self.dir.path().to_owned();
        SlowBalancer { haproxy, dir, server, state, number, count: Arc::default() }
    }

    /// Ends the lock of a host as soon as the slow change has begun.
    fn end_lock_of(&self, fixture: &Fixture, host: usize) -> tokio::task::JoinHandle<()> {
        let (dir, lock) = (self.dir.path().to_owned(), fixture.root(host).join("deploy.lock"));
        tokio::task::spawn_blocking(move || {
            wait_until("the slow change has begun", LIMIT, || dir.join("begun").exists());
            end_lock(&lock);
            fs::write(dir.join("lost"), "").expect("a writable directory");
        })
    }

    #[track_caller]
    fn assert_no_overlap(&self) {
        assert!(self.dir.path().join("lost").exists(), "the slow change was reached");
        let overlaps = fs::read_to_string(self.dir.path().join("overlaps")).unwrap_or_default();
        assert_eq!(overlaps, "", "a change began before the end of the slow change");
    }
}

fn end_lock(lock: &Path) {
    let status = process::Command::new("sh").args(["-c", END_LOCK, "sh"]).arg(lock).status();
    assert!(status.expect("a shell").success());
}

/// Hosts in the order of the rollout. web3 has the balancer, and keeps its lock.
const ORDER: [&str; 3] = ["web3", "web1", "web2"];

/// The locks that are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Losses {
    /// The lock of web1, during the slow change.
    One,
    /// The lock of web2 during its restart, and the lock of web1 during the slow change.
    Two,
}

/// Deploys a second version with a slow change of web3, and loses locks.
async fn lose_locks_with_drains(state: ServerState, number: usize, losses: Losses) -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let (change, lock) = (SlowChange::new(), balanced.fixture.root(1).join("deploy.lock"));
    let balancer = change.balancer(balanced.haproxy().on(["web3"]), "web3", state, number);
    let site = balanced.site().balancer(balancer).restart(move |app: App| {
        let lock = lock.clone();
        async move {
            if losses == Losses::Two && is_on(&app, "web2") {
                end_lock(&lock);
                run("sleep 600").await?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let losing = change.end_lock_of(&balanced.fixture, 0);
    let deploy = site.deploy(Group::of(&client, ORDER)?);
    let error = within_limit(deploy.into_future()).await.expect_err("a lock is lost").into_error();
    within_limit(losing).await?;
    assert_eq!(error.kind(), ErrorKind::Channel, "{}", error.block());
    change.assert_no_overlap();
    assert_eq!(balanced.fixture.current()[2], first);
    match losses {
        Losses::One => {
            assert_eq!(balanced.balancers[1].drained(), list(&[]));
            assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
        }
        Losses::Two => assert_eq!(balanced.balancers[1].drained(), list(&["web2"])),
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_does_not_overlap_with_the_revert_after_a_lost_lock() -> Result {
    lose_locks_with_drains(ServerState::Drained, 1, Losses::One).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_to_the_balancer_does_not_overlap_with_the_revert_after_a_lost_lock() -> Result {
    lose_locks_with_drains(ServerState::Ready, 1, Losses::One).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_of_a_revert_does_not_overlap_with_the_revert_after_a_second_lost_lock() -> Result {
    lose_locks_with_drains(ServerState::Drained, 2, Losses::Two).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_of_the_sides_does_not_overlap_with_the_switch_back_after_a_lost_lock() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    let (before, change) = (sides.state(), SlowChange::new());
    let haproxy = HaProxy::socket(format!("{}/balancer.sock", sides.fixture.site_folder())).backend("shop");
    let balancer = change.balancer(haproxy.on(["web3"]), "web1-green", ServerState::Ready, 1);
    let [blue, green] = sides.ports();
    let site = sides.site().strategy(BlueGreen::ports(blue, green).switch(balancer));
    let losing = change.end_lock_of(&sides.fixture, 1);
    let deploy = sides.deploy(&client, &site, 2, "two");
    let error = within_limit(deploy).await.expect_err("a lock is lost");
    within_limit(losing).await?;
    assert!(error.to_string().contains("the process of the lock has ended"), "{error}");
    change.assert_no_overlap();
    let after = sides.state();
    assert_eq!((after.drained, after.current, after.sides), (before.drained, before.current, before.sides));
    client.close().await;
    Ok(())
}
