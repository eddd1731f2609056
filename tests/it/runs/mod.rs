//! Runs: plans as values, the executor, values shared by tasks, and calls between tasks.

mod called_tasks;
mod calls;
mod executor;
mod once;
mod plans;
mod stopping;

use fabrs::config::{OnFailure, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ClientBuilder, Report};

use crate::support::{fake_client, outcome_lines};

/// The first of three tasks in sequence.
#[task]
async fn first() -> Result {
    run("first").await?;
    Ok(())
}

#[task]
async fn second() -> Result {
    run("second").await?;
    Ok(())
}

#[task]
async fn third() -> Result {
    run("third").await?;
    Ok(())
}

/// Returns hosts with success for every task.
fn successful_hosts() -> Fake {
    ["first", "second", "third"].iter().fold(Fake::new(), |fake, line| fake.on(line, FakeAnswer::code(0)))
}

fn three_calls() -> [Call; 3] {
    [first::call(), second::call(), third::call()]
}

/// Returns a client with `OnFailure::Continue`.
fn continuing_client(fake: &Fake, hosts: &str) -> ClientBuilder {
    fake_client(fake, hosts).settings(Settings::default().on_failure(OnFailure::Continue))
}

/// Returns the outcomes of each task, a line per task.
fn lines(report: &Report) -> Vec<String> {
    let line = |outcomes| outcome_lines(outcomes).join(", ");
    report.stages().iter().map(|stage| format!("{}: {}", stage.task.name, line(&stage.outcomes))).collect()
}
