//! Stopped runs: running hosts are cancelled, waiting hosts do not start, and other runs continue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use fabrs::config::Settings;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer, StopLevel};
use fabrs::{ErrorKind, ExitCode, Report};
use futures::future::pending;

use super::{first, in_a_row, lines, willing};
use crate::support::{capture, carry_out, refused, scripted, soon, told};

#[task]
async fn never_ends() {
    pending::<()>().await;
}

#[task]
async fn swallows_the_stop() -> Result {
    refused(run("first").await, ErrorKind::Cancelled);
    refused(run("second").await, ErrorKind::Cancelled);
    Ok(())
}

static GO_ON: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

#[task]
fn is_a_plain_function() {
    let go_on = GO_ON.lock().unwrap_or_else(PoisonError::into_inner).take();
    go_on.expect("it is called once").recv().expect("it is told to go on");
    DONE.store(true, Ordering::SeqCst);
}

/// Runs calls, and stops the run when the condition is met.
async fn stopped(client: &Client, calls: impl IntoIterator<Item = Call>, when: impl Fn() -> bool) -> Report {
    let stop = async {
        while !when() {
            tokio::task::yield_now().await;
        }
        client.stop().raise(StopLevel::Stop);
    };
    let (report, ()) = tokio::join!(carry_out(client, calls), soon(stop));
    report
}

#[tokio::test]
async fn running_hosts_are_cancelled_and_the_rest_is_not_started() {
    let fake = willing().on("web1: first", FakeAnswer::hang());
    let (seen, sink) = capture();
    let settings = Settings::default().limit(Some(std::num::NonZeroUsize::MIN));
    let client = scripted(&fake, "web1,web2,web3").settings(settings).sink(sink).build();
    let report = stopped(&client, in_a_row(), || fake.commands().len() == 1).await;
    let expected = [
        "first: web1: cancelled, web2: not started, web3: not started",
        "second: web1: not started, web2: not started, web3: not started",
        "third: web1: not started, web2: not started, web3: not started",
    ];
    assert_eq!(lines(&report), expected);
    assert_eq!(fake.commands(), ["web1: first"]);
    assert_eq!(report.exit_code(), ExitCode::Failed);
    assert_eq!(told(&seen, "task_ended", "outcome").len(), 9, "every host of every task is told of");
}

#[tokio::test]
async fn who_has_finished_before_is_done() {
    let fake = willing().on("slow: first", FakeAnswer::hang());
    let (seen, sink) = capture();
    let client = scripted(&fake, "quick,slow").sink(sink).build();
    let report = stopped(&client, [first::call()], || told(&seen, "task_ended", "host") == ["quick"]).await;
    assert_eq!(lines(&report), ["first: quick: ok, slow: cancelled"]);
}

#[tokio::test]
async fn a_task_that_does_not_heed_it_is_given_up() {
    let (seen, sink) = capture();
    let client = scripted(&Fake::new(), "a,b").sink(sink).build();
    let report = stopped(&client, [never_ends::call()], || seen.of_kind("task_started").len() == 2).await;
    assert_eq!(lines(&report), ["never_ends: a: cancelled, b: cancelled"]);
    assert_eq!(told(&seen, "task_ended", "outcome"), ["cancelled", "cancelled"]);
}

#[tokio::test]
async fn nothing_is_started_after_it_also_by_a_task_that_swallows_its_error() {
    let fake = willing().on("first", FakeAnswer::hang());
    let client = scripted(&fake, "web1").build();
    let report = stopped(&client, [swallows_the_stop::call(), first::call()], || fake.commands().len() == 1).await;
    assert_eq!(lines(&report), ["swallows_the_stop: web1: ok", "first: web1: not started"]);
}

#[tokio::test]
async fn a_run_that_was_stopped_before_it_began_reaches_nobody() {
    let fake = willing();
    let client = scripted(&fake, "web1").build();
    client.stop().raise(StopLevel::Stop);
    assert_eq!(lines(&carry_out(&client, [first::call()]).await), ["first: web1: not started"]);
    assert!(fake.commands().is_empty());
}

#[tokio::test]
async fn two_clients_know_nothing_of_each_other() {
    let fake = willing();
    let (one, other) = (scripted(&fake, "web1").build(), scripted(&fake, "web1").build());
    one.stop().raise(StopLevel::Kill);
    assert!(!matches!(one.stop().level(), StopLevel::None));
    assert!(carry_out(&other, [first::call()]).await.is_ok());
    assert_eq!(lines(&carry_out(&one, [first::call()]).await), ["first: web1: not started"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_function_is_waited_for() {
    let (go_on, waits) = mpsc::channel();
    *GO_ON.lock().unwrap_or_else(PoisonError::into_inner) = Some(waits);
    let (seen, sink) = capture();
    let client = scripted(&Fake::new(), "a").sink(sink).build();
    let run = stopped(&client, [is_a_plain_function::call()], || !seen.of_kind("task_started").is_empty());
    let another_run = async {
        soon(client.stop().wait_above(StopLevel::None)).await;
        // The run stopped last has already abandoned its task.
        let (seen, sink) = capture();
        let client = scripted(&Fake::new(), "a").sink(sink).build();
        let report = stopped(&client, [never_ends::call()], || !seen.of_kind("task_started").is_empty()).await;
        assert_eq!(lines(&report), ["never_ends: a: cancelled"]);
        assert!(!DONE.load(Ordering::SeqCst));
        go_on.send(()).expect("it waits");
    };
    let (report, ()) = tokio::join!(run, another_run);
    assert!(DONE.load(Ordering::SeqCst));
    assert_eq!(lines(&report), ["is_a_plain_function: a: ok"]);
}
