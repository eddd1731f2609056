//! Strategies: the order in which the hosts of a site receive a release.

mod canary;
mod deploy_strategy;

pub use canary::Canary;
pub use deploy_strategy::DeployStrategy;
