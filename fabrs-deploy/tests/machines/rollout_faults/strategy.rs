//! The strategies of a rollout, each with its machines and its site.

use std::path::Path;

use fabrs::prelude::*;
use fabrs_deploy::{
    BlueGreen, Canary, CommandGate, DeployPhase, HealthCheck, LiveRelease, NginxUpstream, ServerState, Site, Systemd,
};

use super::blocking_balancer::{BlockingBalancer, Selection};
use super::fault::{BlockPoint, block_on_web2};
use crate::fixture::LIMIT;
use crate::shop::{Shop, site_of};
use crate::{balanced, blue_green};

pub(super) const NAMES: [&str; 3] = ["web1", "web2", "web3"];

/// The order of the hosts, a promotion after a hold, or changes of a real balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    Canary,
    Batches,
    Window,
    Promotion,
    /// Drains with HAProxy.
    Drain,
    /// Blue-green sides with nginx.
    BlueGreen,
}

impl Strategy {
    /// Returns the phases of a deploy. The balancer changes in the last phases.
    pub(super) fn phases(self) -> &'static [&'static str] {
        match self {
            Self::Canary | Self::Batches | Self::Window | Self::Promotion => {
                &["build", "once", "switch", "restart", "health", "watch"]
            }
            Self::Drain => &["build", "once", "switch", "restart", "health", "watch", "drain", "undrain"],
            Self::BlueGreen => &["build", "once", "restart", "health", "watch", "switch", "switched", "balancer"],
        }
    }

    /// Returns the units of the services.
    fn units(self) -> &'static [&'static str] {
        match self {
            Self::Canary | Self::Batches | Self::Window | Self::Promotion => &[],
            Self::Drain => &["shop"],
            Self::BlueGreen => &["shop@blue", "shop@green"],
        }
    }

    /// Boots the machines, and deploys a first version. The services then start with each boot.
    pub(super) async fn start(self, first: &str) -> Shop {
        let shop = match self {
            Self::Canary | Self::Batches | Self::Window | Self::Promotion => Shop::start(&NAMES, "git", &["git"], &[]),
            Self::Drain => balanced::start(&NAMES),
            Self::BlueGreen => blue_green::start(&NAMES),
        };
        for machine in shop.network.machines() {
            BlockPoint(machine).create();
        }
        shop.commit(first);
        shop.deploy(self.site(shop.tree(), "no phase")).await.expect("all machines are up");
        for machine in shop.web() {
            for unit in self.units() {
                machine.run(cmd!("systemctl enable --quiet {unit}").as_str());
            }
        }
        shop
    }

    /// Deploys the last commit of the repository in a directory.
    pub(super) async fn deploy(self, tree: &Path, phase: &str, hosts: Group) -> Result<LiveRelease, TaskError> {
        let site = self.site(tree, phase);
        if self != Self::Promotion {
            return site.deploy(hosts).wait_at_most(LIMIT).await;
        }
        site.deploy(hosts.clone()).wait_at_most(LIMIT).hold().await?;
        site.promote(hosts).wait_at_most(LIMIT).await
    }

    /// Returns the site with the repository in a directory. In `phase`, a release with the word
    /// `blocked` waits.
    pub(super) fn site(self, tree: &Path, phase: &str) -> Site {
        let step = |name: &str| {
            let is_blocked = name == phase;
            move |app| block_on_web2(app, is_blocked)
        };
        let site = site_of(tree)
            .build(step("build"))
            .once_on(["web2"])
            .once(step("once"))
            .before(DeployPhase::Switch, step("switch"))
            .after(DeployPhase::Switch, step("switched"))
            .restart(step("restart"));
        let site = match self {
            Self::Canary => site.strategy(Canary::hosts(2)),
            Self::Batches => site.batches(["1", "50%", "100%"]),
            Self::Window => site.window(2),
            Self::Promotion => site,
            Self::Drain => site
                .with(Systemd::restart("shop"))
                .health(HealthCheck::get("http://127.0.0.1:8000/"))
                .rolling(1)
                .balancer(BlockingBalancer::new(balanced::balancer(), selection(phase))),
            Self::BlueGreen => {
                let nginx = NginxUpstream::file(blue_green::UPSTREAM_FILE).on(["lb1"]).sudo();
                site.health(HealthCheck::get("http://127.0.0.1:{port}/")).strategy(
                    BlueGreen::ports(8001, 8002)
                        .service("shop@{side}")
                        .worker("shop-worker@{side}")
                        .switch(BlockingBalancer::new(nginx, selection(phase))),
                )
            }
        };
        site.health(step("health")).gate(CommandGate::new("queue", step("watch")))
    }
}

/// Returns the change of the balancer to block in a phase.
fn selection(phase: &str) -> Selection {
    fn is_web2(states: &[(String, ServerState)], state: ServerState) -> bool {
        states.iter().any(|(server, to)| server == "web2" && *to == state)
    }
    match phase {
        "drain" => |states| is_web2(states, ServerState::Drained),
        "undrain" => |states| is_web2(states, ServerState::Ready),
        "balancer" => |states| states.iter().any(|(_, to)| *to == ServerState::Ready),
        _ => |_| false,
    }
}
