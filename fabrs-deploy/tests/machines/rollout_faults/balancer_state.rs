//! The servers that receive requests, and their versions.

use std::collections::BTreeSet;

use super::strategy::{NAMES, Strategy};
use crate::blue_green;
use crate::shop::Shop;

impl Strategy {
    /// Returns the servers that receive requests, from the balancer itself: host and port. A
    /// strategy without a balancer has none.
    fn active(self, shop: &Shop) -> Option<Vec<(String, u16)>> {
        let balancer = || shop.network.machine("lb1");
        Some(match self {
            Self::Canary | Self::Batches | Self::Window | Self::Promotion => return None,
            Self::Drain => {
                let states = balancer().run("echo 'show servers state shop' | socat - /run/shop-lb.sock");
                let servers = states.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
                // The seventh column is the state set by an operator or a deploy.
                let ready = servers.filter(|columns| columns.get(6) == Some(&"0"));
                ready.map(|columns| (columns[3].to_owned(), 8000)).collect()
            }
            Self::BlueGreen => {
                let file = balancer().run(&format!("cat {}", blue_green::UPSTREAM_FILE));
                let ready = file.lines().filter(|line| !line.contains(" down"));
                let server = |line: &str| {
                    let (name, port) =
                        line.trim().strip_prefix("server ")?.split([' ', ';']).next()?.split_once(':')?;
                    Some((name.to_owned(), port.parse().ok()?))
                };
                ready.filter_map(server).collect()
            }
        })
    }

    /// Asserts that the balancer sends requests to running services only. With drains, each service
    /// runs the live release of its host. With sides, all services run one release.
    #[track_caller]
    pub(super) fn assert_consistent(self, shop: &Shop, case: &str) {
        let Some(active) = self.active(shop) else { return };
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
        let Some(active) = self.active(shop) else { return };
        assert_eq!(active.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), NAMES, "{case}: {active:?}");
        for (name, port) in active {
            let served = shop.network.machine(&name).run(&format!("curl -fsS http://127.0.0.1:{port}/"));
            assert_eq!(served, format!("{version}\n"), "{case}: {name}");
        }
    }
}
