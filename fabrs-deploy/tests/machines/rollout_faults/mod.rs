//! Faults in each phase of a rollout: a stop or a kill of the run, a power cut and a lost network.
//! Afterwards, all hosts have the same release, or the output lists the release of each host.

mod balanced_shop;
mod balancers;
mod blocking_balancer;
mod fault;
mod hosts;
