//! A shop behind a real balancer: drains with HAProxy, and blue-green sides with nginx.

use std::collections::BTreeSet;
use std::path::Path;

use fabrs_deploy::{BlueGreen, CommandGate, DeployPhase, HealthCheck, NginxUpstream, ServerState, Site, Systemd};

use super::blocking_balancer::{BlockingBalancer, Selection};
use super::fault::{BlockPoint, block_on_web2};
use crate::shop::{Shop, site_of};
use crate::{balanced, blue_green};

pub(super) const NAMES: [&str; 3] = ["web1", "web2", "web3"];

/// A strategy with changes of a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    Drain,
    BlueGreen,
}

impl Strategy {
    /// Returns the phases of a deploy. The balancer changes in the last phases.
    pub(super) fn phases(self) -> &'static [&'static str] {
        match self {
            Self::Drain => &["build", "once", "switch", "restart", "health", "watch", "drain", "undrain"],
            Self::BlueGreen => &["build", "once", "restart", "health", "watch", "switch", "switched", "balancer"],
        }
    }

    /// Boots the machines. Their services start with each boot.
    pub(super) fn start(self) -> Shop {
        let shop = match self {
            Self::Drain => balanced::start(&NAMES),
            Self::BlueGreen => blue_green::start(&NAMES),
        };
        for machine in shop.network.machines() {
            BlockPoint(machine).create();
        }
        shop
    }

    pub(super) fn enable_services(self, shop: &Shop) {
        let units = match self {
            Self::Drain => "shop",
            Self::BlueGreen => "shop@blue shop@green",
        };
        shop.web().for_each(|machine| drop(machine.run(&format!("systemctl enable --quiet {units}"))));
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

    /// Returns the servers that receive requests, from the balancer itself: host and port.
    fn active(self, shop: &Shop) -> Vec<(String, u16)> {
        let balancer = shop.network.machine("lb1");
        match self {
            Self::Drain => {
                let states = balancer.run("echo 'show servers state shop' | socat - /run/shop-lb.sock");
                let servers = states.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
                // The seventh column is the state set by an operator or a deploy.
                let ready = servers.filter(|columns| columns.get(6) == Some(&"0"));
                ready.map(|columns| (columns[3].to_owned(), 8000)).collect()
            }
            Self::BlueGreen => {
                let file = balancer.run(&format!("cat {}", blue_green::UPSTREAM_FILE));
                let ready = file.lines().filter(|line| !line.contains(" down"));
                let server = |line: &str| {
                    let (name, port) =
                        line.trim().strip_prefix("server ")?.split([' ', ';']).next()?.split_once(':')?;
                    Some((name.to_owned(), port.parse().ok()?))
                };
                ready.filter_map(server).collect()
            }
        }
    }

    /// Asserts that the balancer sends requests to running services only. With drains, each service
    /// runs the live release of its host. With sides, all services run one release.
    #[track_caller]
    pub(super) fn assert_consistent(self, shop: &Shop, case: &str) {
        let active = self.active(shop);
        assert!(!active.is_empty(), "{case}: no active server");
        let mut versions = BTreeSet::new();
        for (name, port) in &active {
            let machine = shop.network.machine(name);
            let version = machine.run(&format!("curl -fsS http://127.0.0.1:{port}/"));
            if self == Self::Drain {
                let code = machine.run("cat /srv/shop/current/shop.py");
                assert!(code.contains(&format!("b'{}\\n'", version.trim())), "{case}: {name} serves {version}");
            }
            versions.insert(version);
        }
        assert!(self == Self::Drain || versions.len() == 1, "{case}: {active:?} serve {versions:?}");
    }

    /// Asserts that the balancer sends the requests to every host, all with the same version.
    #[track_caller]
    pub(super) fn assert_complete(self, shop: &Shop, version: &str, case: &str) {
        let active = self.active(shop);
        assert_eq!(active.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), NAMES, "{case}: {active:?}");
        for (name, port) in active {
            let served = shop.network.machine(&name).run(&format!("curl -fsS http://127.0.0.1:{port}/"));
            assert_eq!(served, format!("{version}\n"), "{case}: {name}");
        }
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
