//! Strategies: the order in which the hosts of a site receive a release.

mod blue_green;
mod canary;
mod deploy_strategy;

pub use blue_green::BlueGreen;
pub use canary::Canary;
pub use deploy_strategy::DeployStrategy;
