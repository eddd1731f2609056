//! Load balancers: a host leaves its balancer before a restart, and returns after its health check.

mod balancer;
mod haproxy;
mod pool;
mod server_list;

pub use balancer::{Balancer, BalancerFuture, BalancerServer, ServerState};
pub use haproxy::HaProxy;
pub(crate) use pool::{Pool, PoolServer, SharedBalancer, StateChange};
