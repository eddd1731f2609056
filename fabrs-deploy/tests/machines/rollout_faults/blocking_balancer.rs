//! A balancer with a change that waits after its effect.

use std::time::Duration;

use fabrs::Error;
use fabrs::prelude::*;
use fabrs_deploy::{Balancer, BalancerFuture, BalancerServer, BlueGreenSide, HostSubset, ServerState};

use super::fault::block;

/// Selects the change to block.
pub(super) type Selection = fn(&[(String, ServerState)]) -> bool;

/// A balancer with one blocked change: the balancer host has applied the change, and the run has
/// not received the confirmation.
pub(super) struct BlockingBalancer<B> {
    balancer: B,
    is_blocked: Selection,
}

impl<B> BlockingBalancer<B> {
    pub(super) fn new(balancer: B, is_blocked: Selection) -> Self {
        Self { balancer, is_blocked }
    }
}

impl<B: Balancer> Balancer for BlockingBalancer<B> {
    fn name(&self) -> String {
        self.balancer.name()
    }

    fn check(&self) -> Result<(), Error> {
        self.balancer.check()
    }

    fn hosts(&self) -> Option<HostSubset> {
        self.balancer.hosts()
    }

    fn server_name(&self, host: &Connection) -> Result<String, Error> {
        self.balancer.server_name(host)
    }

    fn side_server_name(&self, host: &Connection, side: BlueGreenSide, port: u16) -> Result<String, Error> {
        self.balancer.side_server_name(host, side, port)
    }

    fn drain_limit(&self) -> Duration {
        self.balancer.drain_limit()
    }

    fn up_limit(&self) -> Duration {
        self.balancer.up_limit()
    }

    fn disabled_state(&self) -> ServerState {
        self.balancer.disabled_state()
    }

    fn preflight(&self, balancer: Connection) -> BalancerFuture<()> {
        self.balancer.preflight(balancer)
    }

    fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>> {
        self.balancer.servers(balancer)
    }

    fn set_states(&self, balancer: Connection, states: Vec<(String, ServerState)>) -> BalancerFuture<()> {
        let is_blocked = (self.is_blocked)(&states);
        let set = self.balancer.set_states(balancer.clone(), states);
        Box::pin(async move {
            set.await?;
            if is_blocked {
                block(&balancer).await?;
            }
            Ok(())
        })
    }
}
