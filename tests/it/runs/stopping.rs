//! Stopped runs: running hosts are cancelled, waiting hosts do not start, and other runs continue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use fabrs::config::Settings;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer, StopLevel};
use fabrs::{ErrorKind, ExitCode, Report};
use futures::future::pending;

use super::{first, lines, successful_hosts, three_calls};
use crate::support::{capture, event_texts, execute, expect_error, fake_client, within_limit};

#[task]
async fn never_ends() {
    pending::<()>().await;
}

#[task]
async fn ignores_the_stop() -> Result {
    expect_error(run("first").await, ErrorKind::Cancelled);
    expect_error(run("second").await, ErrorKind::Cancelled);
    Ok(())
}

static CONTINUE: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

#[task]
fn is_a_plain_function() {
    let go_on = CONTINUE.lock().unwrap_or_else(PoisonError::into_inner).take();
    go_on.expect("the task runs once").recv().expect("the sender continues the task");
    DONE.store(true, Ordering::SeqCst);
}

/// Runs calls, and stops the run when the condition is met.
async fn stop_when(client: &Client, calls: impl IntoIterator<Item = Call>, when: impl Fn() -> bool) -> Report {
    let stop = async {
        while !when() {
            tokio::task::yield_now().await;
        }
        client.stop().raise(StopLevel::Stop);
    };
    let (report, ()) = tokio::join!(execute(client, calls), within_limit(stop));
    report
}

#[tokio::test]
async fn running_hosts_are_cancelled_and_the_rest_is_not_started() {
    let fake = successful_hosts().on("web1: first", FakeAnswer::hang());
    let (seen, sink) = capture();
    let settings = Settings::default().limit(Some(std::num::NonZeroUsize::MIN));
    let client = fake_client(&fake, "web1,web2,web3").settings(settings).sink(sink).build();
    let report = stop_when(&client, three_calls(), || fake.commands().len() == 1).await;
    let expected = [
        "first: web1: cancelled, web2: not started, web3: not started",
        "second: web1: not started, web2: not started, web3: not started",
        "third: web1: not started, web2: not started, web3: not started",
    ];
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands(), ["web1: first"]);
    assert_eq!(report.exit_code(), ExitCode::Failed);
    assert_eq!(event_texts(&seen, "task_ended", "outcome").len(), 9, "every host of every task has an event");
}

#[tokio::test]
async fn a_host_finished_before_the_stop_is_ok() {
    let fake = successful_hosts().on("slow: first", FakeAnswer::hang());
    let (seen, sink) = capture();
    let client = fake_client(&fake, "quick,slow").sink(sink).build();
    let report = stop_when(&client, [first::call()], || event_texts(&seen, "task_ended", "host") == ["quick"]).await;
    assert_eq!(lines(&report), ["first: quick: ok, slow: cancelled"]);
}

#[tokio::test]
async fn a_task_that_ignores_the_stop_is_abandoned() {
    let (seen, sink) = capture();
    let client = fake_client(&Fake::new(), "a,b").sink(sink).build();
    let report = stop_when(&client, [never_ends::call()], || seen.of_kind("task_started").len() == 2).await;
    assert_eq!(lines(&report), ["never_ends: a: cancelled, b: cancelled"]);
    assert_eq!(event_texts(&seen, "task_ended", "outcome"), ["cancelled", "cancelled"]);
}

#[tokio::test]
async fn a_stopped_run_starts_no_command_even_after_an_ignored_error() {
    let fake = successful_hosts().on("first", FakeAnswer::hang());
    let client = fake_client(&fake, "web1").build();
    let report = stop_when(&client, [ignores_the_stop::call(), first::call()], || fake.commands().len() == 1).await;
    assert_eq!(lines(&report), ["ignores_the_stop: web1: ok", "first: web1: not started"]);
}

#[tokio::test]
async fn a_run_stopped_before_its_start_contacts_no_host() {
    let fake = successful_hosts();
    let client = fake_client(&fake, "web1").build();
    client.stop().raise(StopLevel::Stop);
    assert_eq!(lines(&execute(&client, [first::call()]).await), ["first: web1: not started"]);
    assert!(fake.commands().is_empty());
}

#[tokio::test]
async fn a_stop_affects_one_client_only() {
    let fake = successful_hosts();
    let (one, other) = (fake_client(&fake, "web1").build(), fake_client(&fake, "web1").build());
    one.stop().raise(StopLevel::Kill);
    assert!(!matches!(one.stop().level(), StopLevel::None));
    assert!(execute(&other, [first::call()]).await.is_ok());
    assert_eq!(lines(&execute(&one, [first::call()]).await), ["first: web1: not started"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_waits_for_a_plain_function() {
    let (go_on, waits) = mpsc::channel();
    *CONTINUE.lock().unwrap_or_else(PoisonError::into_inner) = Some(waits);
    let (seen, sink) = capture();
    let client = fake_client(&Fake::new(), "a").sink(sink).build();
    let run = stop_when(&client, [is_a_plain_function::call()], || !seen.of_kind("task_started").is_empty());
    let another_run = async {
        within_limit(client.stop().wait_above(StopLevel::None)).await;
        // The run stopped last has already abandoned the task.
        let (seen, sink) = capture();
        let client = fake_client(&Fake::new(), "a").sink(sink).build();
        let report = stop_when(&client, [never_ends::call()], || !seen.of_kind("task_started").is_empty()).await;
        assert_eq!(lines(&report), ["never_ends: a: cancelled"]);
        assert!(!DONE.load(Ordering::SeqCst));
        go_on.send(()).expect("the task waits");
    };
    let (report, ()) = tokio::join!(run, another_run);
    assert!(DONE.load(Ordering::SeqCst));
    assert_eq!(lines(&report), ["is_a_plain_function: a: ok"]);
}
