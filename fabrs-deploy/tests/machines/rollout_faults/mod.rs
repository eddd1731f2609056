//! Faults in each phase of a rollout: a stop or a kill of the run, a power cut and a lost network.
//! Afterwards, all hosts have the same release, or the output lists the release of each host. A
//! balancer sends requests to consistent hosts only, and the next deploy returns every host.

mod balancer_state;
mod blocking_balancer;
mod case;
mod fault;
mod strategy;

use std::env;

use case::Case;
use fault::Fault;
use strategy::Strategy;

use crate::shop::application;

/// Returns the full name of the test of a strategy.
fn test_of(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Canary => "rollout_faults::a_fault_in_any_phase_of_a_canary_leaves_one_release_or_a_table",
        Strategy::Batches => "rollout_faults::a_fault_in_any_phase_of_growing_batches_leaves_one_release_or_a_table",
        Strategy::Window => "rollout_faults::a_fault_in_any_phase_of_a_window_leaves_one_release_or_a_table",
        Strategy::Promotion => "rollout_faults::a_fault_in_any_phase_of_a_promotion_leaves_one_release_or_a_table",
        Strategy::Drain => "rollout_faults::a_fault_in_any_phase_of_drains_leaves_consistent_hosts_in_the_balancer",
        Strategy::BlueGreen => {
            "rollout_faults::a_fault_in_any_phase_of_a_blue_green_site_leaves_one_release_in_the_balancer"
        }
    }
}

/// Applies each fault in each phase, to web2 or to the balancer.
async fn survive_all(strategy: Strategy) {
    if env::var_os(case::RUN_TREE).is_some() {
        return case::deploy_in_child(strategy).await;
    }
    let shop = strategy.start(&application("good-0")).await;
    let mut cases = Vec::new();
    for &phase in strategy.phases() {
        let case = |fault, machine| Case { strategy, phase, fault, machine };
        let faults = [Fault::Stop, Fault::Kill, Fault::PowerCut, Fault::LostNetwork];
        cases.extend(faults.map(|fault| case(fault, "web2")));
        if matches!(phase, "drain" | "undrain" | "balancer") {
            cases.extend([Fault::PowerCut, Fault::LostNetwork].map(|fault| case(fault, "lb1")));
        }
    }
    for (number, case) in (1..).zip(cases) {
        case.survive(&shop, number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_canary_leaves_one_release_or_a_table() {
    survive_all(Strategy::Canary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_growing_batches_leaves_one_release_or_a_table() {
    survive_all(Strategy::Batches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_window_leaves_one_release_or_a_table() {
    survive_all(Strategy::Window).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_promotion_leaves_one_release_or_a_table() {
    survive_all(Strategy::Promotion).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_drains_leaves_consistent_hosts_in_the_balancer() {
    survive_all(Strategy::Drain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_phase_of_a_blue_green_site_leaves_one_release_in_the_balancer() {
    survive_all(Strategy::BlueGreen).await;
}
