//! Runs: plans as values, the executor, values shared by tasks, and calls between tasks.

mod callees;
mod calls;
mod executor;
mod once;
mod plans;
mod stopped;

use fabrs::config::{OnFailure, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ClientBuilder, Report};

use crate::support::{scripted, words};

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

/// Returns hosts on which every task succeeds.
fn willing() -> Fake {
    ["first", "second", "third"].iter().fold(Fake::new(), |fake, line| fake.on(line, FakeAnswer::code(0)))
}

fn in_a_row() -> [Call; 3] {
    [first::call(), second::call(), third::call()]
}

/// Returns a client that continues after a failed host.
fn going_on(fake: &Fake, hosts: &str) -> ClientBuilder {
    scripted(fake, hosts).settings(Settings::default().on_failure(OnFailure::Continue))
}

/// Returns the outcomes of each task, one line per task.
fn lines(report: &Report) -> Vec<String> {
    let line = |outcomes| words(outcomes).join(", ");
    report.stages().iter().map(|stage| format!("{}: {}", stage.task.name, line(&stage.outcomes))).collect()
}
