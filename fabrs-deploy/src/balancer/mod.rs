//! Load balancers: a host leaves its balancer before a restart, and returns after its health check.

mod balancer;
mod haproxy;
mod nginx_upstream;
mod pool;
mod server_names;
mod upstream_file;

pub use balancer::{Balancer, BalancerFuture, BalancerServer, ServerHealth, ServerState};
pub use haproxy::HaProxy;
pub use nginx_upstream::NginxUpstream;
pub(crate) use pool::{Pool, PoolServer, Pools, SharedBalancer, StateChange};
