//! One fault in a phase of a deploy, with the checks of all machines afterwards.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use fabrs::ErrorKind;
use fabrs::config::{Mode, PromptPolicy, Settings, SshConfigSource};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_deploy::LiveRelease;
use fabrs_testing::{Machine, wait_until};

use super::fault::{BlockPoint, Fault};
use super::strategy::{NAMES, Strategy};
use super::test_of;
use crate::fixture::{LIMIT, client, client_with_limit, spawn};
use crate::shop::{Shop, application};

/// The variables of a run in a child process.
pub(super) const RUN_TREE: &str = "FABRS_TEST_RUN_TREE";
const RUN_SSH_CONFIG: &str = "FABRS_TEST_RUN_SSH_CONFIG";
const RUN_PHASE: &str = "FABRS_TEST_RUN_PHASE";

/// The time limit of a connect in seconds.
const CONNECT_LIMIT: u32 = 10;

/// A fault in a phase of a deploy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) strategy: Strategy,
    pub(super) phase: &'static str,
    pub(super) fault: Fault,
    /// The machine with the fault.
    pub(super) machine: &'static str,
}

/// A deploy that waits in a phase.
enum Run {
    Task {
        client: Client,
        capture: Arc<CaptureSink>,
        deploying: tokio::task::JoinHandle<Result<LiveRelease, TaskError>>,
    },
    Process(Child),
}

impl Case {
    /// Returns the machine with the blocked phase.
    fn blocked<'a>(&self, shop: &'a Shop) -> &'a Machine {
        let is_balancer = matches!(self.phase, "drain" | "undrain" | "balancer");
        shop.network.machine(if is_balancer { "lb1" } else { "web2" })
    }

    /// Deploys a blocked release, applies the fault in the phase, and checks all machines.
    pub(super) async fn survive(self, shop: &Shop, number: usize) {
        let machine = shop.network.machine(self.machine);
        let (point, before) = (BlockPoint(self.blocked(shop)), live(shop));
        point.reset();
        shop.commit(&application(&format!("blocked-{number}")));
        let run = self.start(shop);
        wait_until(&format!("{self:?}: the phase is reached"), LIMIT, || point.is_reached());
        self.apply(&run, machine, &point);
        let ended = run.wait().await;
        match self.fault {
            Fault::Stop | Fault::Kill => {}
            Fault::PowerCut => {
                machine.power_on();
                machine.wait_until_up();
            }
            Fault::LostNetwork => machine.plug(),
        }
        match ended {
            Some((error, capture)) => self.assert_one_release_or_a_table(&before, &live(shop), &error, &capture),
            None => self.assert_status(shop).await,
        }
        self.strategy.assert_consistent(shop, &format!("{self:?}"));
        point.release();
        self.repair(shop, number).await;
    }

    fn start(self, shop: &Shop) -> Run {
        if self.fault == Fault::Kill {
            return Run::Process(self.start_process(shop));
        }
        let (client, capture) = client_with_limit(&shop.network, Mode::Run, CONNECT_LIMIT);
        let (tree, hosts) = (shop.tree().to_owned(), shop.group(&client));
        let deploying = spawn(async move { self.strategy.deploy(&tree, self.phase, hosts).await });
        Run::Task { client, capture, deploying }
    }

    /// Starts the deploy in a child process: the test of the strategy with other variables.
    fn start_process(self, shop: &Shop) -> Child {
        Command::new(env::current_exe().expect("a running test"))
            .args(["--exact", test_of(self.strategy), "--nocapture"])
            .env(RUN_TREE, shop.tree())
            .env(RUN_SSH_CONFIG, shop.network.ssh_config())
            .env(RUN_PHASE, self.phase)
            .stdout(Stdio::null())
            .spawn()
            .expect("a running test")
    }

    fn apply(&self, run: &Run, machine: &Machine, point: &BlockPoint<'_>) {
        match (self.fault, run) {
            (Fault::Stop, Run::Task { client, .. }) => client.stop().raise(StopLevel::Stop),
            (Fault::PowerCut, _) => machine.power_cut(),
            (Fault::LostNetwork, _) => machine.unplug(),
            (Fault::Stop | Fault::Kill, _) => {}
        }
        // Neither a stop nor a lost host ends the return of a host to its balancer.
        if self.phase == "undrain" && self.fault != Fault::Kill && self.machine != "lb1" {
            point.release();
        }
    }

    #[track_caller]
    fn assert_one_release_or_a_table(
        &self,
        before: &[String; 3],
        now: &[String; 3],
        error: &fabrs::Error,
        capture: &CaptureSink,
    ) {
        let block = error.block().to_string();
        assert_eq!([&now[0], &now[2]], [&before[0], &before[2]], "{self:?}: {block}");
        if self.fault == Fault::Stop {
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{self:?}: {block}");
            assert_eq!(now[1], before[1], "{self:?}: {block}");
            return;
        }
        assert!(block.contains(self.machine), "{self:?}: {block}");
        let messages = capture.of_kind("message");
        let texts: Vec<&str> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
        let release = now[1].trim_start_matches("releases/");
        let is_named = |line: &str| line.starts_with("web2  ") && line.contains(release);
        let is_in_table = texts.iter().flat_map(|text| text.lines()).any(is_named);
        assert!(now[1] == before[1] || is_in_table, "{self:?}: {release} {texts:#?}");
    }

    /// Asserts that `status` names the live release of each host after the end of its run.
    async fn assert_status(&self, shop: &Shop) {
        let (client, _) = client(&shop.network, Mode::Run);
        let status = self.strategy.site(shop.tree(), "no phase").read_status(shop.group(&client)).await;
        client.close().await;
        let status = status.expect("all hosts are up");
        let shown = status.hosts.iter().map(|host| {
            let live = host.live.as_ref().map_or_else(String::new, ToString::to_string);
            format!("releases/{live}")
        });
        assert_eq!(shown.collect::<Vec<_>>(), live(shop), "{self:?}");
    }

    /// Deploys a good version. All hosts then have the same release, and receive requests.
    async fn repair(&self, shop: &Shop, number: usize) {
        let (case, version) = (format!("{self:?}, repair"), format!("good-{number}"));
        shop.commit(&application(&version));
        let (client, _) = client(&shop.network, Mode::Run);
        let deployed = self.strategy.deploy(shop.tree(), "no phase", shop.group(&client)).await;
        let deployed = deployed.map_err(TaskError::into_error);
        let release = deployed.unwrap_or_else(|error| panic!("{case}: {}", error.block())).release;
        let status = self.strategy.site(shop.tree(), "no phase").read_status(shop.group(&client)).await;
        client.close().await;
        assert_eq!(live(shop), NAMES.map(|_| format!("releases/{release}")), "{case}");
        self.strategy.assert_complete(shop, &version, &case);
        let status = status.expect("all hosts are up");
        assert!(!status.hosts.iter().any(|host| host.is_drained), "{case}: {status:?}");
    }
}

impl Run {
    /// Waits for the end of the run. Returns the error with the events, or `None` for a killed
    /// process.
    async fn wait(self) -> Option<(fabrs::Error, Arc<CaptureSink>)> {
        match self {
            Self::Task { client, capture, deploying } => {
                let error = deploying.await.expect("no panic").expect_err("the deploy was interrupted").into_error();
                client.close().await;
                Some((error, capture))
            }
            Self::Process(mut process) => {
                process.kill().expect("the process runs");
                process.wait().expect("a child");
                None
            }
        }
    }
}

/// Returns the live release of each machine, read from its disk.
fn live(shop: &Shop) -> [String; 3] {
    NAMES.map(|name| {
        let link = shop.network.machine(name).disk().join("srv/shop/current");
        std::fs::read_link(link).expect("a release is live").display().to_string()
    })
}

/// The deploy of a child process of [`Case::start_process`].
pub(super) async fn deploy_in_child(strategy: Strategy) {
    let variable = |name| env::var(name).expect("the parent sets the variable");
    let ssh_config = SshConfigSource::File(variable(RUN_SSH_CONFIG).into());
    let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(settings).build();
    let hosts = Group::of(&client, NAMES).expect("the names are hosts");
    let deployed = strategy.deploy(Path::new(&variable(RUN_TREE)), &variable(RUN_PHASE), hosts).await;
    panic!("the parent kills this process: {deployed:?}");
}
