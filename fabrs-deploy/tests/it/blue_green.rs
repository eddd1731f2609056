//! Blue-green deploys: the idle side receives the release, and HAProxy is switched in one step.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_deploy::{App, BlueGreen, CommandGate, DeployPhase, HaProxy, HealthCheck, ReleaseId, Site};
use serde_json::Value;

use crate::fixture::{Fixture, is_on, within_limit};
use crate::haproxy::HaProxyServer;

/// The hosts with a site. web3 has the balancer.
pub(crate) const HOSTS: [&str; 2] = ["web1", "web2"];

/// Two hosts with an application on each side, and HAProxy on web3. The hosts are one machine, so
/// each application has an address of its own: 127.0.0.1 and 127.0.0.2.
pub(crate) struct Sides {
    pub(crate) fixture: Fixture,
    pub(crate) balancer: HaProxyServer,
    ports: [u16; 2],
}

/// The links and the drained servers: everything that must not change in a failed deploy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LiveState {
    pub(crate) current: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) sides: Vec<String>,
    pub(crate) drained: Vec<String>,
}

impl LiveState {
    /// Returns the state after a failure on the blue side: a process started by a step may still
    /// run, so the side has no link.
    fn without_blue_links(mut self) -> Self {
        self.links.iter_mut().step_by(2).for_each(String::clear);
        self
    }
}

impl Sides {
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(|_| "")
    }

    /// Starts the balancer with options for each server, such as `check`.
    pub(crate) fn start_with(options: impl Fn(&str) -> &'static str) -> Option<Self> {
        let fixture = Fixture::start()?;
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback"));
        let ports = free.each_ref().map(|free| free.local_addr().expect("a bound listener").port());
        drop(free);
        fixture.write(2, "balancer", "");
        let addr = |host: u8, side: usize| SocketAddr::from(([127, 0, 0, host], ports[side]));
        let servers = [
            ("web1-blue", addr(1, 0)),
            ("web1-green", addr(1, 1)),
            ("web2-blue", addr(2, 0)),
            ("web2-green", addr(2, 1)),
        ];
        let servers = servers.map(|(name, addr)| (name, format!("{addr} {}", options(name))));
        let balancer = HaProxyServer::start(&fixture.root(2).join("balancer.sock"), &servers);
        Some(Self { fixture, balancer, ports })
    }

    pub(crate) fn site(&self) -> Site {
        let socket = format!("{}/balancer.sock", self.fixture.site_folder());
        let haproxy = HaProxy::socket(socket).backend("shop").on(["web3"]).up_limit(secs(2));
        let [blue, green] = self.ports;
        let health = HealthCheck::url_for_host(|host| {
            Ok(format!("http://{}:{{port}}/version", address(host.host().map(Host::name))))
        });
        self.fixture
            .site()
            .restart(|app: App| restart(&app))
            .health(health)
            .strategy(BlueGreen::ports(blue, green).switch(haproxy))
    }

    /// Returns the ports of the blue and the green side.
    pub(crate) fn ports(&self) -> [u16; 2] {
        self.ports
    }

    pub(crate) fn state(&self) -> LiveState {
        let (current, links, sides) = self.links();
        LiveState { current, links, sides, drained: self.balancer.drained() }
    }

    /// Returns `current` and the live sides of the hosts, without a request to the balancer.
    pub(crate) fn state_without_balancer(&self) -> (Vec<String>, Vec<String>) {
        let (current, _, sides) = self.links();
        (current, sides)
    }

    /// Returns `current`, the links of the sides, and the live sides of the hosts.
    fn links(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let link = |host: usize, name: &str| {
            fs::read_link(self.fixture.root(host).join(name)).unwrap_or_default().display().to_string()
        };
        let side = |host: usize| fs::read_to_string(self.fixture.root(host).join("deploy.side")).unwrap_or_default();
        (
            (0..2).map(|host| link(host, "current")).collect(),
            (0..2).flat_map(|host| ["blue", "green"].map(|name| link(host, name))).collect(),
            (0..2).map(side).collect(),
        )
    }

    /// Deploys a build with this version.
    pub(crate) async fn deploy(&self, client: &Client, site: &Site, number: u32, version: &str) -> Result<String> {
        self.fixture.origin.build(&format!("deployable-{number}"), &[("version", version)]);
        Ok(site.deploy(Group::of(client, HOSTS)?).await?.release.to_string())
    }

    /// Returns the number of restarts on web1.
    fn restarts(&self) -> usize {
        fs::read_to_string(self.fixture.root(0).join("restarts")).map_or(0, |log| log.lines().count())
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        for host in 0..2 {
            for side in ["blue", "green"] {
                if let Ok(pid) = fs::read_to_string(self.fixture.root(host).join(format!("{side}.pid"))) {
                    let _gone = std::process::Command::new("kill").arg(pid.trim()).status();
                }
            }
        }
    }
}

/// Returns the address of the application on a host.
fn address(host: Option<&str>) -> &'static str {
    if host == Some("web1") { "127.0.0.1" } else { "127.0.0.2" }
}

/// The application: it reads its version once, at its start. Arguments: address, port.
const SERVER: &str = "import http.server, sys\n\
    version = open('version', 'rb').read()\n\
    class Handler(http.server.BaseHTTPRequestHandler):\n    \
    def do_GET(self):\n        \
    self.send_response(200)\n        \
    self.end_headers()\n        \
    self.wfile.write(version)\n    \
    def log_message(self, *_): pass\n\
    http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()\n";

/// Restarts the application of a side.
fn restart(app: &App) -> Command {
    let side = app.side().map_or("none", fabrs_deploy::BlueGreenSide::as_str);
    let (port, host) = (app.port().unwrap_or_default(), address(app.connection().host().map(Host::name)));
    run(cmd!(
        "pid=$(cat ../../{side}.pid 2> /dev/null) && kill $pid && while kill -0 $pid 2> /dev/null; do sleep 0.05; done; \
         setsid python3 -c {SERVER} {host} {port} < /dev/null > /dev/null 2>&1 & \
         echo $! > ../../{side}.pid; echo restart >> ../../restarts"
    ))
}

/// Requests the version through the balancer. Returns `None` for a failed request.
pub(crate) fn request(frontend: SocketAddr) -> Option<String> {
    let mut session = TcpStream::connect(frontend).ok()?;
    session.write_all(b"GET /version HTTP/1.0\r\n\r\n").ok()?;
    let mut response = String::new();
    session.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    head.contains("200 OK").then(|| body.to_owned())
}

/// Continuous requests through the balancer.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    results: JoinHandle<Vec<Option<String>>>,
}

impl Load {
    pub(crate) fn start(frontend: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let results = std::thread::spawn(move || {
            let mut results = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let result = request(frontend);
                if results.last() != Some(&result) {
                    results.push(result);
                }
            }
            results
        });
        Self { is_over, results }
    }

    /// Ends the requests. Returns the results, with equal neighbours as one.
    pub(crate) fn end(self) -> Vec<Option<String>> {
        self.is_over.store(true, Ordering::SeqCst);
        self.results.join().expect("no panic")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_alternate_the_sides_and_a_rollback_switches_back_without_a_failed_request() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, capture) = sides.fixture.client();
    let site = sides.site();
    let first = sides.deploy(&client, &site, 1, "one").await?;
    let on = |release: &str| format!("releases/{release}");
    assert_eq!(
        sides.state(),
        LiveState {
            current: vec![on(&first); 2],
            links: vec![on(&first), String::new(), on(&first), String::new()],
            sides: vec!["blue\n".to_owned(); 2],
            drained: ["web1-green", "web2-green"].map(str::to_owned).to_vec(),
        }
    );

    let load = Load::start(sides.balancer.frontend());
    let second = sides.deploy(&client, &site, 2, "two").await?;
    let green = LiveState {
        current: vec![on(&second); 2],
        links: vec![on(&first), on(&second), on(&first), on(&second)],
        sides: vec!["green\n".to_owned(); 2],
        drained: ["web1-blue", "web2-blue"].map(str::to_owned).to_vec(),
    };
    assert_eq!(sides.state(), green);
    site.status_json(Group::of(&client, HOSTS)?).await?;
    let texts = capture.of_kind("message");
    let status = texts.iter().rev().find_map(|event| serde_json::from_str::<Value>(event["text"].as_str()?).ok());
    let status = status.context("status_json prints a document")?;
    assert_eq!(status["hosts"][0]["live_side"], "green");
    assert_eq!(status["hosts"][0]["idle_release"], first.as_str());

    let restarts = sides.restarts();
    let back = site.rollback(Group::of(&client, HOSTS)?).await?.release.to_string();
    assert_eq!((back.as_str(), sides.restarts()), (first.as_str(), restarts), "the old side never stopped");
    assert_eq!(sides.state().drained, ["web1-green", "web2-green"]);
    assert_eq!(sides.state().current, vec![on(&first); 2]);
    let results = load.end();
    assert!(results.iter().all(Option::is_some), "failed requests: {results:?}");
    let versions = ["one", "two"].map(|version| results.contains(&Some(version.to_owned())));
    assert_eq!(versions, [true; 2], "{results:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_to_an_older_release_starts_it_on_the_idle_side() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    let site = sides.site();
    let first = sides.deploy(&client, &site, 1, "one").await?;
    sides.deploy(&client, &site, 2, "two").await?;
    sides.deploy(&client, &site, 3, "three").await?;
    let restarts = sides.restarts();
    site.rollback(Group::of(&client, HOSTS)?).to(first.parse::<ReleaseId>()?).await?;
    assert_eq!(sides.restarts(), restarts + 1);
    assert_eq!(sides.state().current, vec![format!("releases/{first}"); 2]);
    assert_eq!(sides.state().drained, ["web1-blue", "web2-blue"]);
    assert_eq!(request(sides.balancer.frontend()).as_deref(), Some("one"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_on_the_idle_side_leaves_the_live_side_untouched() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    sides.deploy(&client, &sides.site(), 2, "two").await?;
    let before = sides.state().without_blue_links();
    let load = Load::start(sides.balancer.frontend());
    let unhealthy = sides.site().health(|app: App| async move {
        ensure!(!is_on(&app, "web2"), "the shop does not answer");
        Ok::<(), TaskError>(())
    });
    let error = sides.deploy(&client, &unhealthy, 3, "three").await.expect_err("web2 is unhealthy").into_error();
    assert!(error.block().to_string().contains("the shop does not answer"), "{}", error.block());
    assert_eq!(sides.state(), before, "a failed health check");

    let gated = sides.site().gate(CommandGate::new("price", |_| probe("false")));
    let error = sides.deploy(&client, &gated, 4, "four").await.expect_err("the gate is bad").into_error();
    assert!(error.message().starts_with("gate failed: price"), "{}", error.block());
    assert_eq!(sides.state(), before, "a bad gate");

    let stopped = sides.site().health(|_: App| async move {
        current().client().context("the connection has a client")?.stop().raise(StopLevel::Stop);
        run("sleep 600").await?;
        Ok::<(), TaskError>(())
    });
    let deploy = within_limit(sides.deploy(&client, &stopped, 5, "five")).await;
    assert_eq!(deploy.expect_err("the run was stopped").into_error().kind(), ErrorKind::Cancelled);
    assert_eq!(sides.state(), before, "a stop");
    assert_eq!(load.end(), [Some("two".to_owned())]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_after_the_switch_switches_back() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    sides.deploy(&client, &sides.site(), 2, "two").await?;
    let before = sides.state().without_blue_links();
    let load = Load::start(sides.balancer.frontend());
    let failing = sides.site().after(DeployPhase::Switch, |app: App| async move {
        ensure!(!is_on(&app, "web2"), "the cache is cold");
        Ok::<(), TaskError>(())
    });
    sides.deploy(&client, &failing, 3, "three").await.expect_err("the hook fails");
    assert_eq!(sides.state(), before);
    let results = load.end();
    assert!(results.iter().all(Option::is_some), "failed requests: {results:?}");
    assert_eq!(results.last(), Some(&Some("two".to_owned())));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_the_switch_and_changes_nothing() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    client.close().await;
    let (before, restarts) = (sides.state(), sides.restarts());
    let (client, capture) = sides.fixture.client_with(|settings| settings.mode(Mode::DryRun));
    sides.deploy(&client, &sides.site(), 2, "two").await?;
    client.close().await;
    let line = "set server shop/web1-green state ready;set server shop/web2-green state ready;\
        set server shop/web1-blue state maint;set server shop/web2-blue state maint";
    let planned = capture.of_kind("planned");
    assert!(planned.iter().any(|planned| planned["operation"].to_string().contains(line)), "{planned:#?}");
    assert_eq!((sides.state(), sides.restarts()), (before, restarts));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_balancer_at_the_switch_is_named_and_no_release_goes_live() -> Result {
    let Some(sides) = Sides::start() else { return Ok(()) };
    let (client, _) = sides.fixture.client();
    sides.deploy(&client, &sides.site(), 1, "one").await?;
    let before = sides.state();
    let pid = sides.balancer.pid().to_string();
    let killed = sides.site().before(DeployPhase::Switch, move |app: App| {
        let pid = pid.clone();
        async move {
            if is_on(&app, "web1") {
                std::process::Command::new("kill").args(["-KILL", &pid]).status()?;
            }
            Ok::<(), TaskError>(())
        }
    });
    let error = sides.deploy(&client, &killed, 2, "two").await.expect_err("the balancer is dead").into_error();
    assert_eq!(error.host().map(ToString::to_string).as_deref(), Some("web3"), "{}", error.block());
    assert_eq!(sides.links(), (before.current, before.links, before.sides));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_settings_are_errors_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let haproxy = || HaProxy::socket("/run/haproxy.sock").backend("shop").on(["web3"]);
    let switched = || BlueGreen::ports(8001, 8002).switch(haproxy());
    for (site, cause) in [
        (fixture.site().strategy(BlueGreen::ports(8001, 8002)), "the blue-green strategy has no balancer"),
        (fixture.site().strategy(BlueGreen::ports(8001, 8001).switch(haproxy())), "the same port"),
        (fixture.site().strategy(switched()).in_place(), "cannot have `.in_place()`"),
        (fixture.site().strategy(switched()).balancer(haproxy()), "cannot have `.balancer(..)`"),
        (
            fixture.site().strategy(BlueGreen::ports(8001, 8002).switch(HaProxy::socket("s").backend("shop"))),
            "HAProxy backend shop has no hosts",
        ),
    ] {
        let error = site.deploy(Group::of(&client, HOSTS)?).await.expect_err(cause).into_error();
        assert_eq!(error.kind(), ErrorKind::Usage, "{cause}");
        assert!(error.message().contains(cause), "{}", error.block());
    }
    assert_eq!(fixture.live("version"), [""; 3]);
    client.close().await;
    Ok(())
}
