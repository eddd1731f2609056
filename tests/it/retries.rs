//! Retries of commands: a number of times after a failure, or until the command succeeds.

use std::time::Duration;

use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Client, Responder};
use fabrs_testing::Sshd;

use crate::support::{capture, client_of, error_text, event_texts, expect_error};

/// A line with a run counter in a file. The line succeeds from the third run on.
fn succeeds_on_third_run(file: &std::path::Path) -> ShellLine {
    cmd!("n=$(cat {file} 2>/dev/null || echo 0); n=$((n+1)); echo $n | tee {file}; [ $n -ge 3 ]")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_command_is_retried_up_to_the_limit_with_an_event_per_retry() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let (enough, few) = (sshd.scratch().join("enough"), sshd.scratch().join("few"));
    let output = host.run(succeeds_on_third_run(&enough)).retry(2, Duration::ZERO).await?;
    assert_eq!(output.line()?, "3", "the last attempt's output");
    assert_eq!(event_texts(&capture, "retry", "reason"), ["exit status 1", "exit status 1"]);
    let retries = capture.of_kind("retry");
    assert_eq!(retries.iter().map(|retry| &retry["attempt"]).collect::<Vec<_>>(), [2, 3]);
    assert!(retries.iter().all(|retry| retry["max_attempts"] == 3 && retry["time_left"].is_null()), "{retries:?}");
    let error = expect_error(host.run(succeeds_on_third_run(&few)).retry(1, Duration::ZERO).await, ErrorKind::Exit);
    assert_eq!(error.output().expect("the command ran").line()?, "2");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_waits_for_success_up_to_its_time_limit() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let spawned = host.run(succeeds_on_third_run(&sshd.scratch().join("up"))).retry_for(secs(30)).spawn()?;
    assert_eq!(spawned.await?.line()?, "3");
    // The output is hidden, so only the first of equal failures is announced.
    assert_eq!(event_texts(&capture, "retry", "reason"), ["exit status 1"]);
    assert_eq!(host.run(succeeds_on_third_run(&sshd.scratch().join("shown"))).retry_for(secs(30)).await?.line()?, "3");
    assert_eq!(event_texts(&capture, "retry", "reason"), ["exit status 1"; 3]);
    assert!(capture.of_kind("retry").iter().all(|retry| retry["time_left"].as_f64().is_some_and(|left| left < 30.0)));
    let error = expect_error(host.probe("exit 7").retry_for(Duration::ZERO).await, ErrorKind::Timeout);
    let shown = error_text(&error);
    assert!(shown.contains("`exit 7` did not succeed within 0 seconds") && shown.contains("exit status 7"), "{shown}");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_ends_with_its_run_and_with_its_future() -> Result {
    let sshd = Sshd::start();
    let client = client_of(&sshd, "").build();
    let host = client.connect(sshd.alias())?;
    let waits = host.run("exit 1").retry(9, Duration::from_hours(1)).spawn()?;
    drop(waits);
    client.close().await;
    let waits = host.run("exit 1").retry(9, Duration::from_hours(1)).spawn()?;
    client.stop().raise(fabrs::transport::StopLevel::Stop);
    expect_error(crate::support::within_limit(waits).await, ErrorKind::Cancelled);
    Ok(())
}

#[tokio::test]
async fn a_usage_error_or_a_consumed_input_is_not_retried() -> Result {
    let (capture, sink) = capture();
    let host = Client::builder().dial(Fake::new()).sink(sink).build().connect("web1")?;
    expect_error(host.run("unknown").retry(3, Duration::ZERO).await, ErrorKind::Usage);
    assert!(capture.of_kind("warning").is_empty());
    let answered = host.run("x").watch(Responder::new("sure? ", "y\n")).retry(1, Duration::ZERO);
    let error = expect_error(answered.await, ErrorKind::Usage);
    assert!(error_text(&error).contains("cannot be used for a second attempt"), "{}", error_text(&error));
    Ok(())
}

#[tokio::test]
async fn a_dry_run_probes_once_and_continues() -> Result {
    let (capture, sink) = capture();
    let fake = Fake::new().on("test -e /up", fabrs::transport::FakeAnswer::code(1));
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let host = Client::builder().dial(fake.clone()).settings(dry).sink(sink).build().connect("web1")?;
    host.run("start").await?;
    let waited = crate::support::within_limit(host.probe("test -e /up").retry_for(Duration::from_hours(1))).await?;
    host.run("after").await?;
    assert_eq!(
        event_texts(&capture, "planned", "operation"),
        ["start", "test -e /up (repeated until success)", "after"]
    );
    assert_eq!(fake.commands().len(), 1);
    expect_error(waited.ok(), ErrorKind::NotRun);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_may_still_run_is_not_retried() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let mark = fabrs_testing::marker();
    // The leader ends, and sshd does not pass a signal on to the remaining processes.
    let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & exit 0"));
    expect_error(host.run(line).timeout(secs(1)).retry(3, Duration::ZERO).await, ErrorKind::Timeout);
    assert_eq!(fabrs_testing::processes_matching(&mark).len(), 1);
    assert_eq!(capture.of_kind("command_started").len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_with_warn_is_retried_too() -> Result {
    let sshd = Sshd::start();
    let strict = client_of(&sshd, "").build();
    let settings = strict.settings().clone().warn_only(true);
    let lenient = Client::builder().settings(settings).build();
    let host = lenient.connect(sshd.alias())?;
    let enough = sshd.scratch().join("enough");
    assert_eq!(host.run(succeeds_on_third_run(&enough)).retry(2, Duration::ZERO).await?.line()?, "3");
    let last = host.run("exit 3").retry(1, Duration::ZERO).await?;
    assert_eq!(last.status()?, &ExitStatus::Code(3), "the last failure is not an error");
    let last = strict.connect(sshd.alias())?.run("exit 3").warn().retry(1, Duration::ZERO).await?;
    assert_eq!(last.status()?, &ExitStatus::Code(3));
    lenient.close().await;
    strict.close().await;
    Ok(())
}
