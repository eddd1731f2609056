//! Faults in each phase of a rollout: a stop of the run, a power cut and a lost network.
//! Afterwards, all hosts have the same release, or the output lists the release of each host.

use std::sync::Arc;

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_deploy::{App, Canary, CommandGate, DeployPhase, Git, LiveRelease, Site};
use fabrs_testing::{GitServer, Machine, MachineNetwork, wait_until};

use crate::fixture::{LIMIT, client, spawn};

const NAMES: [&str; 3] = ["web1", "web2", "web3"];

/// The file on web2 that shows the start of a blocked phase.
const REACHED: &str = "/srv/shop/shared/reached";

/// A fault of web2, or a stop of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Stop,
    PowerCut,
    LostNetwork,
}

/// The order of the hosts, or a promotion after a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Canary,
    Batches,
    Window,
    Promotion,
}

/// The phases of a deploy in their order.
const PHASES: [&str; 6] = ["build", "once", "switch", "restart", "health", "watch"];

/// Three machines with a live release, and a repository for the site.
struct Shop {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Shop {
    async fn start() -> Self {
        let mut network = MachineNetwork::builder();
        for name in NAMES {
            network = network.machine(Machine::builder(name).packages("git", ["git"]));
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        for machine in shop.network.machines() {
            machine.run("install -d -o deploy /srv/shop");
        }
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        shop.commit("good");
        let (client, _) = client(&shop.network, Mode::Run);
        shop.deploy(&client, Strategy::Batches, "no phase").await.expect("all hosts are up");
        client.close().await;
        shop
    }

    fn commit(&self, version: &str) {
        std::fs::write(self.tree.path().join("version"), version).expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--allow-empty", "--message", version]);
    }

    /// Returns the site. In `phase`, a release of the version `blocked` waits on web2.
    fn site(&self, strategy: Strategy, phase: &'static str) -> Site {
        let step = move |name: &'static str| move |app: App| block(app, name == phase);
        let site = Site::new("/srv/shop")
            .source(Git::from_local(self.tree.path().display().to_string()).branch("main").without_deployed_tags())
            .once_on(["web2"])
            .build(step("build"))
            .once(step("once"))
            .before(DeployPhase::Switch, step("switch"))
            .restart(step("restart"))
            .health(step("health"))
            .gate(CommandGate::new("queue", step("watch")));
        match strategy {
            Strategy::Canary => site.strategy(Canary::hosts(2)),
            Strategy::Batches => site.batches(["1", "50%", "100%"]),
            Strategy::Window => site.window(2),
            Strategy::Promotion => site,
        }
    }

    async fn deploy(&self, client: &Client, strategy: Strategy, phase: &'static str) -> Result<LiveRelease, TaskError> {
        let hosts = Group::of(client, NAMES)?;
        let site = self.site(strategy, phase);
        if strategy != Strategy::Promotion {
            return site.deploy(hosts).wait_at_most(LIMIT).await;
        }
        site.deploy(hosts.clone()).wait_at_most(LIMIT).hold().await?;
        site.promote(hosts).wait_at_most(LIMIT).await
    }

    /// Returns the live release of each machine, read from its disk.
    fn live(&self) -> [String; 3] {
        NAMES.map(|name| {
            let link = self.network.machine(name).disk().join("srv/shop/current");
            std::fs::read_link(link).expect("a release is live").display().to_string()
        })
    }

    /// Deploys a blocked release, applies the fault in the phase, and checks all hosts.
    async fn survive(self: &Arc<Self>, strategy: Strategy, phase: &'static str, fault: Fault) {
        let case = format!("{strategy:?}, {phase}, {fault:?}");
        let web2 = self.network.machine("web2");
        let before = self.live();
        web2.run(cmd!("rm -f {REACHED}").as_str());
        self.commit("blocked");
        let (client, capture) = client(&self.network, Mode::Run);
        let deploying = spawn({
            let (shop, client) = (Arc::clone(self), client.clone());
            async move { shop.deploy(&client, strategy, phase).await }
        });
        wait_until(&format!("{case}: the phase is reached"), LIMIT, || web2.disk().join(&REACHED[1..]).exists());
        match fault {
            Fault::Stop => client.stop().raise(StopLevel::Stop),
            Fault::PowerCut => web2.power_cut(),
            Fault::LostNetwork => web2.unplug(),
        }
        let error = deploying.await.expect("no panic").expect_err("the deploy was interrupted").into_error();
        client.close().await;
        self.assert_one_release_or_a_table(&case, fault, &before, &capture, &error);
        match fault {
            Fault::Stop => {}
            Fault::PowerCut => {
                web2.power_on();
                web2.wait_until_up();
            }
            Fault::LostNetwork => web2.plug(),
        }
        self.repair(strategy, &case).await;
    }

    #[track_caller]
    fn assert_one_release_or_a_table(
        &self,
        case: &str,
        fault: Fault,
        before: &[String; 3],
        capture: &CaptureSink,
        error: &fabrs::Error,
    ) {
        let block = error.block().to_string();
        let now = self.live();
        assert_eq!([&now[0], &now[2]], [&before[0], &before[2]], "{case}: {block}");
        if fault == Fault::Stop {
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{case}: {block}");
            assert_eq!(now[1], before[1], "{case}: {block}");
            return;
        }
        assert!(block.contains("web2"), "{case}: {block}");
        let shown: Vec<String> = capture
            .of_kind("message")
            .iter()
            .flat_map(|message| {
                message["text"].as_str().unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let is_in_table = shown.iter().any(|line| line.starts_with("web2  ") && line.contains("on "));
        assert!(now[1] == before[1] || is_in_table, "{case}: {} {shown:#?}", now[1]);
    }

    /// Deploys a good version. All hosts then have the same release.
    async fn repair(&self, strategy: Strategy, case: &str) {
        self.commit("good");
        let (client, _) = client(&self.network, Mode::Run);
        let live = self.deploy(&client, strategy, "no phase").await.map_err(TaskError::into_error);
        client.close().await;
        let live = live.unwrap_or_else(|error| panic!("{case}: {}", error.block()));
        let releases = NAMES.map(|_| format!("releases/{}", live.release));
        assert_eq!(self.live(), releases, "{case}");
    }

    async fn survive_all(strategy: Strategy) {
        let shop = Arc::new(Self::start().await);
        for phase in PHASES {
            for fault in [Fault::Stop, Fault::PowerCut, Fault::LostNetwork] {
                shop.survive(strategy, phase, fault).await;
            }
        }
    }
}

/// Waits without end on web2 in the blocked phase of a blocked release.
async fn block(app: App, is_blocked: bool) -> Result<(), TaskError> {
    let is_web2 = app.connection().host().is_some_and(|host| host.to_string() == "web2");
    if is_blocked && is_web2 && probe("cat version").line().await? == "blocked" {
        probe(cmd!("touch {REACHED} && sleep 3600")).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_canary_leaves_one_release_or_a_table() {
    Shop::survive_all(Strategy::Canary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_growing_batches_leaves_one_release_or_a_table() {
    Shop::survive_all(Strategy::Batches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_window_leaves_one_release_or_a_table() {
    Shop::survive_all(Strategy::Window).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_promotion_leaves_one_release_or_a_table() {
    Shop::survive_all(Strategy::Promotion).await;
}
