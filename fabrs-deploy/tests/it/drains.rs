//! Drains: a host leaves its balancer before the switch, and returns after its health check.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use fabrs::config::Mode;
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_deploy::{App, DeployPhase, HaProxy, Site};

use crate::fixture::{Fixture, all, is_on, within_limit};
use crate::haproxy::{HaProxyServer, drained_at};

/// The drained servers of both balancers.
pub(crate) type Drained = [Vec<String>; 2];

/// Three hosts with two balancers: on web2 and web3, each with a socket in the root of the site.
pub(crate) struct Balanced {
    pub(crate) fixture: Fixture,
    pub(crate) balancers: [HaProxyServer; 2],
    /// The port of the application of all servers.
    pub(crate) port: u16,
}

impl Balanced {
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// Starts the balancers with options for each server, such as `check`.
    pub(crate) fn start_with(options: &str) -> Option<Self> {
        let fixture = Fixture::start()?;
        let application = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = application.local_addr().expect("a bound listener");
        serve(application);
        let balancers = [1, 2].map(|host| {
            // Creates the root of the site as the user of the host.
            fixture.write(host, "balancer", "");
            let socket = fixture.root(host).join("balancer.sock");
            HaProxyServer::start(&socket, &["web1", "web2", "web3"].map(|name| (name, format!("{addr} {options}"))))
        });
        Some(Self { fixture, balancers, port: addr.port() })
    }

    /// Returns a site with the balancer. A host at a time leaves the balancer.
    pub(crate) fn site(&self) -> Site {
        self.fixture.site().rolling(1).balancer(self.haproxy())
    }

    pub(crate) fn haproxy(&self) -> HaProxy {
        let socket = format!("{}/balancer.sock", self.fixture.site_folder());
        HaProxy::socket(socket).backend("shop").on(["web2", "web3"])
    }

    pub(crate) fn drained(&self) -> Drained {
        self.balancers.each_ref().map(HaProxyServer::drained)
    }

    pub(crate) fn sockets(&self) -> [PathBuf; 2] {
        self.balancers.each_ref().map(HaProxyServer::socket)
    }

    /// Opens a session to web1 through the first balancer.
    fn connect_to_web1(&self) -> TcpStream {
        let set_others = |state: &str| {
            for name in ["web2", "web3"] {
                self.balancers[0].send(&format!("set server shop/{name} state {state}"));
            }
        };
        set_others("maint");
        let client = TcpStream::connect(self.balancers[0].frontend()).expect("the balancer accepts clients");
        let is_open = || self.balancers[0].send("show stat -1 4 -1").contains("shop,web1,0,0,1,");
        while !is_open() {
            std::thread::yield_now();
        }
        set_others("ready");
        client
    }

    /// Deploys a first release, and makes the second build.
    pub(crate) async fn deploy_first(&self, client: &Client) -> Result<String> {
        self.fixture.origin.build("deployable-1", &[("version", "one")]);
        let first = self.site().deploy(all(client)).await?.release.to_string();
        self.fixture.origin.build("deployable-2", &[("version", "two")]);
        Ok(first)
    }
}

/// Starts an application that ends each session after the end of its client.
fn serve(listener: TcpListener) {
    std::thread::spawn(move || {
        for mut session in listener.incoming().flatten() {
            std::thread::spawn(move || io::copy(&mut session, &mut io::sink()));
        }
    });
}

/// Returns names as a list.
pub(crate) fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn warnings(capture: &CaptureSink) -> String {
    texts(capture, "warning")
}

pub(crate) fn texts(capture: &CaptureSink, kind: &str) -> String {
    let events = capture.of_kind(kind);
    events.iter().filter_map(|event| event["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// The drained servers at each restart and each health check, with the host.
pub(crate) type Seen = Arc<Mutex<Vec<(String, Drained)>>>;

/// Adds restart and health steps that record the drained servers.
pub(crate) fn recording(site: Site, sockets: [PathBuf; 2]) -> (Site, Seen) {
    let seen = Seen::default();
    let recorder = Arc::clone(&seen);
    let record = move |app: App| {
        let host = app.connection().host().map(ToString::to_string).unwrap_or_default();
        let drained = sockets.each_ref().map(|socket| drained_at(socket));
        recorder.lock().unwrap_or_else(PoisonError::into_inner).push((host, drained));
        async { Ok::<(), TaskError>(()) }
    };
    (site.restart(record.clone()).health(record), seen)
}

pub(crate) fn take(seen: &Seen) -> Vec<(String, Drained)> {
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Fails the health check of a host as soon as the host runs version "two".
pub(crate) async fn fail_on_web2(app: App) -> Result {
    let is_bad = is_on(&app, "web2") && probe("cat version").line().await? == "two";
    ensure!(!is_bad, "the shop does not answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_drained_on_all_balancers_from_before_its_switch_until_its_health_check() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let (site, seen) = recording(balanced.site(), balanced.sockets());
    balanced.fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert!(take(&seen).iter().all(|(_, drained)| drained.iter().all(Vec::is_empty)), "nothing is live before");

    let each_alone: Vec<(String, Drained)> = ["web1", "web1", "web2", "web2", "web3", "web3"]
        .map(|name| (name.to_owned(), [list(&[name]), list(&[name])]))
        .to_vec();
    balanced.fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    assert_eq!(take(&seen), each_alone, "deploy");
    site.rollback(all(&client)).await?;
    assert_eq!(take(&seen), each_alone, "rollback");
    site.clone().window(1).deploy(all(&client)).revision("deployable-2".to_owned()).await?;
    assert_eq!(take(&seen), each_alone, "deploy in a window");
    assert_eq!(balanced.drained(), [list(&[]), list(&[])]);
    assert!(!balanced.fixture.root(0).join("deploy.drained").exists());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_drained_by_an_operator_stays_drained() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    balanced.balancers[0].send("set server shop/web2 state drain");
    balanced.site().deploy(all(&client)).await?;
    assert_eq!(balanced.drained(), [list(&["web2"]), list(&[])]);
    let note = "already drained on web2, and stays drained after the deploy";
    assert!(texts(&capture, "message").contains(note));
    assert_eq!(balanced.fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_that_would_drain_the_last_active_server_is_refused() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let at_once = balanced.fixture.site().balancer(balanced.haproxy());
    let error = at_once.deploy(all(&client)).await.expect_err("all servers at once").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let block = error.block().to_string();
    assert!(block.contains("draining web1, web2, web3 would leave HAProxy backend shop on web2 without"), "{block}");
    assert!(block.contains("smaller batches"), "{block}");
    assert_eq!(balanced.fixture.names(0, "releases").len(), 1, "nothing was built");

    // The operator drains two servers after the checks of the deploy.
    let socket = balanced.balancers[1].socket();
    let build = move |app: App| {
        if is_on(&app, "web1") {
            crate::haproxy::send(&socket, "set server shop/web2 state maint;set server shop/web3 state maint");
        }
        async { Ok::<(), TaskError>(()) }
    };
    let error = balanced.site().build(build).deploy(all(&client)).await.expect_err("web1 is the last").into_error();
    assert!(error.message().contains("on web3 without an active server"), "{}", error.block());
    assert_eq!(balanced.drained(), [list(&[]), list(&["web2", "web3"])]);
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_drains_each_switched_host_and_returns_all_hosts() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let (site, seen) = recording(balanced.site(), balanced.sockets());
    site.health(fail_on_web2).deploy(all(&client)).await.expect_err("web2 fails");
    let restarts = take(&seen);
    let both = |names: &[&str]| [list(names), list(names)];
    assert_eq!(restarts[..3], ["web1", "web1", "web2"].map(|name| (name.to_owned(), both(&[name]))));
    assert_eq!(
        restarts[4..],
        [
            ("web2".to_owned(), both(&["web2"])),
            ("web2".to_owned(), both(&["web2"])),
            ("web1".to_owned(), both(&["web1"])),
            ("web1".to_owned(), both(&["web1"])),
        ],
        "the drained host returns first"
    );
    assert_eq!(balanced.drained(), [list(&[]), list(&[])]);
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_a_failed_revert_stays_drained_until_the_next_deploy() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let broken = balanced.site().health(|app: App| async move {
        ensure!(!is_on(&app, "web2"), "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    broken.deploy(all(&client)).await.expect_err("web2 fails in both directions");
    assert_eq!(balanced.drained(), [list(&["web2"]), list(&["web2"])]);
    let shown = texts(&capture, "message");
    let is_listed = |line: &str| line.starts_with("web2  back on ") && line.ends_with(", drained from the balancer");
    assert!(shown.lines().any(is_listed), "{shown}");
    let warning = "`current` is back, but a step of the revert failed: the shop does not answer\n";
    assert!(warnings(&capture).starts_with(warning), "{}", warnings(&capture));

    balanced.fixture.origin.build("deployable-3", &[("version", "three")]);
    balanced.site().deploy(all(&client)).await?;
    assert_eq!(balanced.drained(), [list(&[]), list(&[])], "the mark on the host names the earlier drain");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_waits_for_the_sessions_of_the_host_up_to_the_limit() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let session = Arc::new(Mutex::new(Some(balanced.connect_to_web1())));
    let (site, seen) = {
        let session = Arc::clone(&session);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&seen);
        let site = balanced.site().restart(move |_: App| {
            let is_open = session.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            recorder.lock().unwrap_or_else(PoisonError::into_inner).push(is_open);
            async { Ok::<(), TaskError>(()) }
        });
        (site, seen)
    };
    let [socket, _] = balanced.sockets();
    let ending = Arc::clone(&session);
    let end_session = tokio::task::spawn_blocking(move || {
        while drained_at(&socket).is_empty() {
            std::thread::yield_now();
        }
        ending.lock().unwrap_or_else(PoisonError::into_inner).take();
    });
    let patient = site.clone().balancer(balanced.haproxy().drain_limit(mins(10)));
    within_limit(patient.deploy(all(&client)).into_future()).await?;
    within_limit(end_session).await?;
    assert_eq!(*seen.lock().unwrap_or_else(PoisonError::into_inner), [false; 3], "restarts without sessions");
    assert_eq!(warnings(&capture), "");

    let _session = balanced.connect_to_web1();
    balanced.fixture.origin.build("deployable-3", &[("version", "three")]);
    site.balancer(balanced.haproxy().drain_limit(secs(0))).deploy(all(&client)).await?;
    assert!(warnings(&capture).contains("sessions are still open after 0s on web1 on web2"), "{}", warnings(&capture));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_during_a_drain_returns_the_host_to_the_balancers() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let _session = balanced.connect_to_web1();
    let (stopping, [socket, _]) = (client.clone(), balanced.sockets());
    let stop = tokio::task::spawn_blocking(move || {
        while drained_at(&socket).is_empty() {
            std::thread::yield_now();
        }
        stopping.stop().raise(StopLevel::Stop);
    });
    let patient = balanced.site().balancer(balanced.haproxy().drain_limit(mins(10)));
    let error =
        within_limit(patient.deploy(all(&client)).into_future()).await.expect_err("the run was stopped").into_error();
    within_limit(stop).await?;
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    assert_eq!(balanced.drained(), [list(&[]), list(&[])]);
    assert_eq!(balanced.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_balancer_is_named_and_the_other_balancers_keep_the_host() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    let first = balanced.deploy_first(&client).await?;
    let Balanced { fixture, balancers: [alive, dead], .. } = &balanced;
    let site = || {
        let socket = format!("{}/balancer.sock", fixture.site_folder());
        fixture.site().rolling(1).balancer(HaProxy::socket(socket).backend("shop").on(["web2", "web3"]))
    };
    let pid = dead.pid().to_string();
    let killed = site().before(DeployPhase::Switch, move |app: App| {
        let pid = pid.clone();
        async move {
            if is_on(&app, "web1") {
                std::process::Command::new("kill").args(["-KILL", &pid]).status()?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = killed.deploy(all(&client)).await.expect_err("the balancer on web3 is dead").into_error();
    assert_eq!(error.host().map(ToString::to_string).as_deref(), Some("web3"), "{}", error.block());
    assert_eq!(alive.drained(), list(&[]));
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));

    let error = site().deploy(all(&client)).await.expect_err("the balancer on web3 is dead").into_error();
    assert!(error.message().contains("could not send a command to HAProxy backend shop"), "{}", error.block());
    assert_eq!(error.host().map(ToString::to_string).as_deref(), Some("web3"), "{}", error.block());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_lost_while_drained_stays_drained_and_the_others_return() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, capture) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    let (site, sockets) = (balanced.site(), balanced.sockets());
    let balanced = Arc::new(Mutex::new(balanced));
    let dying = Arc::clone(&balanced);
    let site = site.batches(["1"]).restart(move |app: App| {
        let dying = Arc::clone(&dying);
        async move {
            if is_on(&app, "web1") {
                tokio::task::spawn_blocking(move || dying.lock().unwrap().fixture.hosts[0].stop()).await?;
                run("true").await?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = site.deploy(all(&client)).await.expect_err("web1 is lost").into_error();
    assert!(error.block().to_string().contains("web1"), "{}", error.block());
    assert_eq!(sockets.each_ref().map(|socket| drained_at(socket)), [list(&["web1"]), list(&["web1"])]);
    let shown = texts(&capture, "message");
    let is_listed = |line: &str| line.starts_with("web1  ") && line.ends_with(", drained from the balancer");
    assert!(shown.lines().any(is_listed), "{shown}");
    client.close().await;

    balanced.lock().unwrap().fixture.hosts[0].restart();
    let site = balanced.lock().unwrap().site();
    let (client, _) = balanced.lock().unwrap().fixture.client();
    site.deploy(all(&client)).await?;
    assert_eq!(sockets.each_ref().map(|socket| drained_at(socket)), [list(&[]), list(&[])]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_steps_run_before_the_switch_and_undrain_steps_after_the_health_check() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let log = |word: &'static str| move |_: App| run(cmd!("echo {word} $(cat version) >> ../../log"));
    let site = fixture.site().rolling(1).restart(log("restart")).health(log("health"));
    let site = site.drain(log("drain")).undrain(log("undrain"));
    site.deploy(all(&client)).await?;
    let read = |host: usize| fs::read_to_string(fixture.root(host).join("log")).unwrap_or_default();
    assert_eq!(read(0), "restart one\nhealth one\n", "no release was live before");

    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    let deployed = "restart one\nhealth one\ndrain one\nrestart two\nhealth two\nundrain two\n";
    assert_eq!([0, 1, 2].map(read), [deployed; 3]);

    fixture.origin.build("deployable-3", &[("version", "three")]);
    let failing = site.drain(|app: App| async move {
        ensure!(!is_on(&app, "web1"), "the drain fails");
        Ok::<(), TaskError>(())
    });
    failing.deploy(all(&client)).await.expect_err("the drain fails");
    assert_eq!(read(0), format!("{deployed}drain two\nundrain two\n"), "a failed drain is undone");
    assert_eq!([1, 2].map(read), [deployed; 2]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_each_drain_and_changes_no_balancer() -> Result {
    let Some(balanced) = Balanced::start() else { return Ok(()) };
    let (client, _) = balanced.fixture.client();
    balanced.deploy_first(&client).await?;
    client.close().await;
    let (client, capture) = balanced.fixture.client_with(|settings| settings.mode(Mode::DryRun));
    balanced.site().deploy(all(&client)).await?;
    client.close().await;
    let planned = capture.of_kind("planned");
    for name in ["web1", "web2", "web3"] {
        for state in ["drain", "ready"] {
            let line = format!("set server shop/{name} state {state}");
            assert!(planned.iter().any(|planned| planned["operation"].to_string().contains(&line)), "{line}");
        }
    }
    assert_eq!(balanced.drained(), [list(&[]), list(&[])]);
    Ok(())
}

#[test]
fn socat_python_and_perl_reach_the_admin_socket() {
    let dir = tempfile::tempdir().expect("a writable directory");
    let socket = dir.path().join("balancer.sock");
    let balancer = HaProxyServer::start(&socket, &[]);
    let script = include_str!("../../src/balancer/haproxy.sh");
    let script = format!("socket={} line='show cli level'\n{script}", balancer.socket().display());
    for tool in [&["socat"][..], &["python3"], &["perl"], &[]] {
        let path = dir.path().join(tool.concat() + ".path");
        fs::create_dir(&path).expect("a writable directory");
        for name in tool {
            let target = [format!("/usr/bin/{name}"), format!("/bin/{name}")]
                .into_iter()
                .find(|path| fs::exists(path).unwrap_or(false));
            let target = target.unwrap_or_else(|| panic!("{name} is installed: run scripts/test"));
            std::os::unix::fs::symlink(target, path.join(name)).expect("a writable directory");
        }
        let ran = std::process::Command::new("/bin/sh").args(["-c", &script]).env_clear().env("PATH", &path).output();
        let output = ran.expect("a shell");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let expected = if tool.is_empty() { "" } else { "admin" };
        assert_eq!((stdout.trim(), output.status.success()), (expected, !tool.is_empty()), "{tool:?}: {stderr}");
        assert_eq!(stderr.contains("socat, python3 and perl are missing"), tool.is_empty(), "{tool:?}: {stderr}");
    }
}
