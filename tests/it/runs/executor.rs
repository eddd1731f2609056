//! The executor of a plan: order, failures, timely events, and the exit code.

use std::sync::LazyLock;

use fabrs::config::{Config, Inventory, OnUnreachable, Order, Settings};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ErrorKind, ExitCode};
use serde_json::Value;
use tokio::sync::Barrier;

use super::{continuing_client, first, lines, second, successful_hosts, third, three_calls};
use crate::support::{capture, event_texts, execute, fake_client};

#[task(rolling = "34%")]
async fn rolling_by_a_third() -> Result {
    run("third").await?;
    Ok(())
}

#[task(rolling = 1)]
async fn rolling() -> Result {
    run("first").await?;
    Ok(())
}

#[task(local)]
async fn reports() -> Result {
    local("third").await?;
    Ok(())
}

static LOSING_HOSTS: LazyLock<Fake> = LazyLock::new(successful_hosts);

#[task]
async fn loses_web1_midway() -> Result {
    run("first").await?;
    drop(LOSING_HOSTS.clone().unreachable("web1"));
    run("second").await?;
    Ok(())
}

#[task]
async fn panics_on_web1() -> Result {
    assert_ne!(current().host().map(Host::name), Some("web1"), "the wrong host");
    run("first").await?;
    Ok(())
}

#[task(local)]
async fn needs_a_role() -> Result {
    on(role("db"))?.run("first").await.all_ok()?;
    local("third").await?;
    Ok(())
}

#[task]
async fn waits_for_all_hosts() -> Result {
    static ALL: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(3));
    run("first").await?;
    ALL.wait().await;
    Ok(())
}

/// Returns the starts and ends of tasks, from the captured events.
fn task_events(seen: &CaptureSink) -> Vec<String> {
    let events = seen.events();
    let text = |value: &Value| value.as_str().unwrap_or("here").to_owned();
    let line = |event: &Value| match event["event"].as_str() {
        Some("task_started") => Some(format!("{} begins", text(&event["host"]))),
        Some("task_ended") => Some(format!("{} {}", text(&event["host"]), text(&event["outcome"]))),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

#[tokio::test]
async fn the_first_failure_ends_the_run_after_the_running_hosts() {
    let fake = successful_hosts().on("web2: first", FakeAnswer::code(1));
    let report = execute(&fake_client(&fake, "web1,web2,web3").build(), three_calls()).await;
    let expected = [
        "first: web1: ok, web2: failed, web3: ok",
        "second: web1: not started, web2: not started, web3: not started",
        "third: web1: not started, web2: not started, web3: not started",
    ];
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands().len(), 3);
    assert_eq!((report.exit_code(), report.is_ok()), (ExitCode::Failed, false));
}

#[tokio::test]
async fn continue_on_failure_skips_a_failed_host_in_later_tasks() {
    let fake = successful_hosts().on("web2: first", FakeAnswer::code(1)).on("web3: second", FakeAnswer::code(1));
    let report = execute(&continuing_client(&fake, "web1,web2,web3").build(), three_calls()).await;
    let expected = [
        "first: web1: ok, web2: failed, web3: ok",
        "second: web1: ok, web2: not started, web3: failed",
        "third: web1: ok, web2: not started, web3: not started",
    ];
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands().len(), 6);
    assert_eq!(report.exit_code(), ExitCode::Failed);
}

#[tokio::test]
async fn a_local_task_runs_after_the_failure_of_all_hosts() {
    let fake = successful_hosts().on("first", FakeAnswer::code(1));
    let report =
        execute(&continuing_client(&fake, "web1").build(), [first::call(), second::call(), reports::call()]).await;
    let expected = ["first: web1: failed", "second: web1: not started", "reports: @local: ok"];
    assert_eq!(lines(&report), expected);
}

#[tokio::test]
async fn skipped_hosts_stay_skipped_without_blocking_others() -> Result {
    let fake = successful_hosts().unreachable("bad");
    let (seen, sink) = capture();
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let report = execute(&fake_client(&fake, "good,bad").settings(settings).sink(sink).build(), three_calls()).await;
    let expected = ["first", "second", "third"].map(|task| format!("{task}: good: ok, bad: skipped"));
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands(), ["good: first", "good: second", "good: third"]);
    assert_eq!(report.exit_code(), ExitCode::Ok);
    for stage in report.stages() {
        let error = stage.outcomes.get(&"bad".parse()?).and_then(Outcome::error).context("its error is kept")?;
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(event_texts(&seen, "task_ended", "outcome").iter().filter(|word| *word == "skipped").count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_host_lost_during_a_task_is_not_skipped() {
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let client = fake_client(&LOSING_HOSTS, "web1").settings(settings).build();
    let report = execute(&client, [loses_web1_midway::call()]).await;
    assert_eq!(lines(&report), ["loses_web1_midway: web1: lost"]);
    assert_eq!(report.exit_code(), ExitCode::Unreachable);
}

#[tokio::test]
async fn a_local_task_that_needs_an_unreachable_host_is_not_skipped() -> Result {
    let config = Config::parse("[env.live]\nroles.db = ['db1']", "fabrs.toml".as_ref())?;
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let inventory = Inventory::new(&config, Some("live"))?;
    let fake = successful_hosts().unreachable("db1");
    let client = Client::builder().dial(fake.clone()).inventory(inventory).settings(settings).build();
    let report = execute(&client, [needs_a_role::call()]).await;
    assert_eq!(report.exit_code(), ExitCode::Unreachable);
    assert!(fake.commands().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_failure_of_a_rolling_task_starts_no_further_host() {
    let fake = successful_hosts().on("web1: first", FakeAnswer::code(1));
    let report = execute(&fake_client(&fake, "web1,web2,web3").build(), [rolling::call()]).await;
    assert_eq!(lines(&report), ["rolling: web1: failed, web2: not started, web3: not started"]);
    assert_eq!(fake.commands(), ["web1: first"]);
}

#[tokio::test]
async fn a_failure_of_a_task_that_rolls_by_a_percentage_starts_no_further_host() {
    let fake = successful_hosts().on("web2: third", FakeAnswer::code(1));
    let client = fake_client(&fake, "web1,web2,web3").build();
    let report = execute(&client, [rolling_by_a_third::call()]).await;
    assert_eq!(lines(&report), ["rolling_by_a_third: web1: ok, web2: failed, web3: not started"]);
    assert_eq!(fake.commands(), ["web1: third", "web2: third"]);
}

#[tokio::test]
async fn each_host_has_one_timely_start_and_end_event() {
    let (seen, sink) = capture();
    let client = fake_client(&successful_hosts(), "web1,web2").sink(sink).build();
    assert!(execute(&client, [rolling::call(), reports::call()]).await.is_ok());
    let expected = ["web1 begins", "web1 ok", "web2 begins", "web2 ok", "here begins", "here ok"];
    assert_eq!(task_events(&seen), expected);

    let (seen, sink) = capture();
    let fake = successful_hosts().on("web1: first", FakeAnswer::code(1));
    let report = execute(&fake_client(&fake, "web1,web2").sink(sink).build(), [rolling::call(), second::call()]).await;
    assert!(!report.is_ok());
    let expected = ["web1 begins", "web1 failed", "web2 not_started", "web1 not_started", "web2 not_started"];
    assert_eq!(task_events(&seen), expected);
}

#[tokio::test]
async fn serial_runs_hosts_in_sequence_and_parallel_runs_all_at_once() {
    let fake = successful_hosts();
    let settings = Settings::default().order(Order::Serial);
    let (seen, sink) = capture();
    let client = fake_client(&fake, "c,a,b").settings(settings).sink(sink).build();
    assert!(execute(&client, [first::call()]).await.is_ok());
    assert_eq!(task_events(&seen), ["c begins", "c ok", "a begins", "a ok", "b begins", "b ok"]);
    // The task ends only if all hosts run at the same time.
    assert!(execute(&fake_client(&fake, "c,a,b").build(), [waits_for_all_hosts::call()]).await.is_ok());
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_worst_outcome() {
    let code = async |fake: Fake| {
        let report = execute(&continuing_client(&fake, "a,b,c").build(), [first::call()]).await;
        report.exit_code()
    };
    assert_eq!(code(successful_hosts()).await, ExitCode::Ok);
    assert_eq!(code(successful_hosts().unreachable("a")).await, ExitCode::Unreachable);
    assert_eq!(code(successful_hosts().on("b: first", FakeAnswer::connection_lost())).await, ExitCode::Unreachable);
    assert_eq!(code(successful_hosts().on("b: first", FakeAnswer::code(255))).await, ExitCode::Failed);
    let all = successful_hosts()
        .unreachable("a")
        .on("b: first", FakeAnswer::code(1))
        .on("c: first", FakeAnswer::connection_lost());
    assert_eq!(code(all).await, ExitCode::Failed);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_host_and_not_of_the_run() -> Result {
    let fake = successful_hosts();
    let report =
        execute(&continuing_client(&fake, "web1,web2,web3").build(), [panics_on_web1::call(), third::call()]).await;
    let expected = ["panics_on_web1: web1: failed, web2: ok, web3: ok", "third: web1: not started, web2: ok, web3: ok"];
    assert_eq!(lines(&report), expected);
    let error = report.stages()[0].outcomes.get(&"web1".parse()?).and_then(Outcome::error).context("it failed")?;
    assert_eq!((error.kind(), error.host().map(Host::name)), (ErrorKind::Task, Some("web1")));
    assert!(error.to_string().starts_with("web1: the task panicked: ") && error.to_string().contains("the wrong host"));
    Ok(())
}

#[tokio::test]
async fn a_plan_can_be_run_again() {
    let fake = successful_hosts();
    let client = fake_client(&fake, "a").build();
    for n in 1..3 {
        assert!(execute(&client, [first::call()]).await.is_ok());
        assert_eq!(fake.commands().len(), n);
    }
}
