//! The executor of a plan: order, failures, timely events, and the exit code.

use std::sync::LazyLock;

use fabrs::config::{Config, Inventory, OnUnreachable, Order, Settings};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ErrorKind, ExitCode};
use serde_json::Value;
use tokio::sync::Barrier;

use super::{first, going_on, in_a_row, lines, second, third, willing};
use crate::support::{capture, carry_out, scripted, told};

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

static GOES_AWAY: LazyLock<Fake> = LazyLock::new(willing);

#[task]
async fn loses_web1_half_way() -> Result {
    run("first").await?;
    drop(GOES_AWAY.clone().unreachable("web1"));
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
async fn meets_the_others() -> Result {
    static ALL: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(3));
    run("first").await?;
    ALL.wait().await;
    Ok(())
}

/// Returns the starts and ends of tasks, from the captured events.
fn history(seen: &CaptureSink) -> Vec<String> {
    let told = seen.events();
    let text = |value: &Value| value.as_str().unwrap_or("here").to_owned();
    let line = |event: &Value| match event["event"].as_str() {
        Some("task_started") => Some(format!("{} begins", text(&event["host"]))),
        Some("task_ended") => Some(format!("{} {}", text(&event["host"]), text(&event["outcome"]))),
        _ => None,
    };
    told.iter().filter_map(line).collect()
}

#[tokio::test]
async fn the_first_failure_ends_the_run_when_who_is_on_the_way_has_finished() {
    let fake = willing().on("web2: first", FakeAnswer::code(1));
    let report = carry_out(&scripted(&fake, "web1,web2,web3").build(), in_a_row()).await;
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
async fn going_on_drops_the_host_that_failed_and_lists_it_to_the_end() {
    let fake = willing().on("web2: first", FakeAnswer::code(1)).on("web3: second", FakeAnswer::code(1));
    let report = carry_out(&going_on(&fake, "web1,web2,web3").build(), in_a_row()).await;
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
async fn a_task_that_runs_here_has_its_turn_when_all_hosts_are_dropped() {
    let fake = willing().on("first", FakeAnswer::code(1));
    let report = carry_out(&going_on(&fake, "web1").build(), [first::call(), second::call(), reports::call()]).await;
    let expected = ["first: web1: failed", "second: web1: not started", "reports: @local: ok"];
    assert_eq!(lines(&report), expected);
}

#[tokio::test]
async fn bad_hosts_that_are_skipped_stay_skipped_and_hold_up_nobody() -> Result {
    let fake = willing().unreachable("bad");
    let (seen, sink) = capture();
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let report = carry_out(&scripted(&fake, "good,bad").settings(settings).sink(sink).build(), in_a_row()).await;
    let expected = ["first", "second", "third"].map(|task| format!("{task}: good: ok, bad: skipped"));
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands(), ["good: first", "good: second", "good: third"]);
    assert_eq!(report.exit_code(), ExitCode::Ok);
    for stage in report.stages() {
        let error = stage.outcomes.get(&"bad".parse()?).and_then(Outcome::error).context("its error is kept")?;
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(told(&seen, "task_ended", "outcome").iter().filter(|word| *word == "skipped").count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_host_that_goes_away_half_way_is_lost_and_not_left_out() {
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let client = scripted(&GOES_AWAY, "web1").settings(settings).build();
    let report = carry_out(&client, [loses_web1_half_way::call()]).await;
    assert_eq!(lines(&report), ["loses_web1_half_way: web1: lost"]);
    assert_eq!(report.exit_code(), ExitCode::Unreachable);
}

#[tokio::test]
async fn a_task_that_needs_a_bad_host_is_not_skipped_for_it() -> Result {
    let config = Config::parse("[env.live]\nroles.db = ['db1']", "fabrs.toml".as_ref())?;
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let inventory = Inventory::new(&config, Some("live"))?;
    let fake = willing().unreachable("db1");
    let client = Client::builder().dial(fake.clone()).inventory(inventory).settings(settings).build();
    let report = carry_out(&client, [needs_a_role::call()]).await;
    assert_eq!(report.exit_code(), ExitCode::Unreachable);
    assert!(fake.commands().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_failure_of_a_rolling_task_keeps_the_next_hosts_as_they_are() {
    let fake = willing().on("web1: first", FakeAnswer::code(1));
    let report = carry_out(&scripted(&fake, "web1,web2,web3").build(), [rolling::call()]).await;
    assert_eq!(lines(&report), ["rolling: web1: failed, web2: not started, web3: not started"]);
    assert_eq!(fake.commands(), ["web1: first"]);
}

#[tokio::test]
async fn each_host_is_told_of_in_time_and_once() {
    let (seen, sink) = capture();
    let client = scripted(&willing(), "web1,web2").sink(sink).build();
    assert!(carry_out(&client, [rolling::call(), reports::call()]).await.is_ok());
    let expected = ["web1 begins", "web1 ok", "web2 begins", "web2 ok", "here begins", "here ok"];
    assert_eq!(history(&seen), expected);

    let (seen, sink) = capture();
    let fake = willing().on("web1: first", FakeAnswer::code(1));
    let report = carry_out(&scripted(&fake, "web1,web2").sink(sink).build(), [rolling::call(), second::call()]).await;
    assert!(!report.is_ok());
    let expected = ["web1 begins", "web1 failed", "web2 not_started", "web1 not_started", "web2 not_started"];
    assert_eq!(history(&seen), expected);
}

#[tokio::test]
async fn serial_takes_one_host_after_the_other_and_parallel_all_at_once() {
    let fake = willing();
    let settings = Settings::default().order(Order::Serial);
    let (seen, sink) = capture();
    let client = scripted(&fake, "c,a,b").settings(settings).sink(sink).build();
    assert!(carry_out(&client, [first::call()]).await.is_ok());
    assert_eq!(history(&seen), ["c begins", "c ok", "a begins", "a ok", "b begins", "b ok"]);
    // The task ends only if all hosts run at the same time.
    assert!(carry_out(&scripted(&fake, "c,a,b").build(), [meets_the_others::call()]).await.is_ok());
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_worst_that_happened() {
    let code = async |fake: Fake| {
        let report = carry_out(&going_on(&fake, "a,b,c").build(), [first::call()]).await;
        report.exit_code()
    };
    assert_eq!(code(willing()).await, ExitCode::Ok);
    assert_eq!(code(willing().unreachable("a")).await, ExitCode::Unreachable);
    assert_eq!(code(willing().on("b: first", FakeAnswer::connection_lost())).await, ExitCode::Unreachable);
    assert_eq!(code(willing().on("b: first", FakeAnswer::code(255))).await, ExitCode::Failed);
    let all =
        willing().unreachable("a").on("b: first", FakeAnswer::code(1)).on("c: first", FakeAnswer::connection_lost());
    assert_eq!(code(all).await, ExitCode::Failed);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_host_and_not_of_the_run() -> Result {
    let fake = willing();
    let report = carry_out(&going_on(&fake, "web1,web2,web3").build(), [panics_on_web1::call(), third::call()]).await;
    let expected = ["panics_on_web1: web1: failed, web2: ok, web3: ok", "third: web1: not started, web2: ok, web3: ok"];
    assert_eq!(lines(&report), expected);
    let error = report.stages()[0].outcomes.get(&"web1".parse()?).and_then(Outcome::error).context("it failed")?;
    assert_eq!((error.kind(), error.host().map(Host::name)), (ErrorKind::Task, Some("web1")));
    assert!(error.to_string().starts_with("web1: the task panicked: ") && error.to_string().contains("the wrong host"));
    Ok(())
}

#[tokio::test]
async fn a_plan_can_be_run_again() {
    let fake = willing();
    let client = scripted(&fake, "a").build();
    for n in 1..3 {
        assert!(carry_out(&client, [first::call()]).await.is_ok());
        assert_eq!(fake.commands().len(), n);
    }
}
