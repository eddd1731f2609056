//! Load balancers: a host leaves its balancer before a restart, and returns after its health check.

mod balancer;
mod connected_balancer;
mod haproxy;
mod nginx_upstream;
mod server_names;
mod upstream_file;

pub use balancer::{Balancer, BalancerFuture, BalancerServer, ServerHealth, ServerState};
pub(crate) use connected_balancer::{
    BalancerConnections, ConnectedBalancer, HostServers, ServerEntry, SharedBalancer, StateChange,
};
pub use haproxy::HaProxy;
pub use nginx_upstream::NginxUpstream;
