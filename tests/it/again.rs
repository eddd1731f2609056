//! Retries of commands: a number of times after a failure, or until the command succeeds.

use std::time::Duration;

use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Client, Responder};
use fabrs_testing::Sshd;

use crate::support::{block, capture, client_of, refused, told};

/// A line that counts its runs in a file, and succeeds from the third run on.
fn third_time(file: &std::path::Path) -> ShellLine {
    cmd!("n=$(cat {file} 2>/dev/null || echo 0); n=$((n+1)); echo $n | tee {file}; [ $n -ge 3 ]")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_tried_again_so_often_and_each_time_is_told() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let (enough, few) = (sshd.scratch().join("enough"), sshd.scratch().join("few"));
    let output = host.run(third_time(&enough)).retry(2, Duration::ZERO).await?;
    assert_eq!(output.line()?, "3", "the last attempt's output");
    assert_eq!(told(&capture, "retry", "reason"), ["exit status 1", "exit status 1"]);
    let retries = capture.of_kind("retry");
    assert_eq!(retries.iter().map(|retry| &retry["attempt"]).collect::<Vec<_>>(), [2, 3]);
    assert!(retries.iter().all(|retry| retry["max_attempts"] == 3 && retry["time_left"].is_null()), "{retries:?}");
    let error = refused(host.run(third_time(&few)).retry(1, Duration::ZERO).await, ErrorKind::Exit);
    assert_eq!(error.output().expect("it ran").line()?, "2");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_its_time_is_waited_for_and_no_longer_than_said() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let spawned = host.run(third_time(&sshd.scratch().join("up"))).retry_for(secs(30)).spawn()?;
    assert_eq!(spawned.await?.line()?, "3");
    // The output is hidden, so only the first of equal failures is announced.
    assert_eq!(told(&capture, "retry", "reason"), ["exit status 1"]);
    assert_eq!(host.run(third_time(&sshd.scratch().join("shown"))).retry_for(secs(30)).await?.line()?, "3");
    assert_eq!(told(&capture, "retry", "reason"), ["exit status 1"; 3]);
    assert!(capture.of_kind("retry").iter().all(|retry| retry["time_left"].as_f64().is_some_and(|left| left < 30.0)));
    let error = refused(host.probe("exit 7").retry_for(Duration::ZERO).await, ErrorKind::Timeout);
    let shown = block(&error);
    assert!(shown.contains("`exit 7` did not succeed within 0 seconds") && shown.contains("exit status 7"), "{shown}");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_run_and_with_its_future() -> Result {
    let sshd = Sshd::start();
    let client = client_of(&sshd, "").build();
    let host = client.connect(sshd.alias())?;
    let waits = host.run("exit 1").retry(9, Duration::from_hours(1)).spawn()?;
    drop(waits);
    client.close().await;
    let waits = host.run("exit 1").retry(9, Duration::from_hours(1)).spawn()?;
    client.stop().raise(fabrs::transport::StopLevel::Stop);
    refused(crate::support::soon(waits).await, ErrorKind::Cancelled);
    Ok(())
}

#[tokio::test]
async fn what_was_refused_or_can_not_be_given_twice_is_not_tried_again() -> Result {
    let (capture, sink) = capture();
    let host = Client::builder().dial(Fake::new()).sink(sink).build().connect("web1")?;
    refused(host.run("unknown").retry(3, Duration::ZERO).await, ErrorKind::Usage);
    assert!(capture.of_kind("warning").is_empty());
    let answered = host.run("x").watch(Responder::new("sure? ", "y\n")).retry(1, Duration::ZERO);
    let error = refused(answered.await, ErrorKind::Usage);
    assert!(block(&error).contains("cannot be used for a second attempt"), "{}", block(&error));
    Ok(())
}

#[tokio::test]
async fn a_dry_run_looks_once_and_goes_on() -> Result {
    let (capture, sink) = capture();
    let fake = Fake::new().on("test -e /up", fabrs::transport::FakeAnswer::code(1));
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let host = Client::builder().dial(fake.clone()).settings(dry).sink(sink).build().connect("web1")?;
    host.run("start").await?;
    let waited = crate::support::soon(host.probe("test -e /up").retry_for(Duration::from_hours(1))).await?;
    host.run("after").await?;
    assert_eq!(told(&capture, "planned", "operation"), ["start", "test -e /up (repeated until success)", "after"]);
    assert_eq!(fake.commands().len(), 1);
    refused(waited.ok(), ErrorKind::NotRun);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_still_run_is_not_run_a_second_time_beside_itself() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let mark = fabrs_testing::marker();
    // The leader ends, and sshd does not pass a signal on to the remaining processes.
    let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & exit 0"));
    refused(host.run(line).timeout(secs(1)).retry(3, Duration::ZERO).await, ErrorKind::Timeout);
    assert_eq!(fabrs_testing::processes_matching(&mark).len(), 1);
    assert_eq!(capture.of_kind("command_started").len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_failure_is_no_error_it_is_tried_again_all_the_same() -> Result {
    let sshd = Sshd::start();
    let strict = client_of(&sshd, "").build();
    let settings = strict.settings().clone().warn_only(true);
    let lenient = Client::builder().settings(settings).build();
    let host = lenient.connect(sshd.alias())?;
    let enough = sshd.scratch().join("enough");
    assert_eq!(host.run(third_time(&enough)).retry(2, Duration::ZERO).await?.line()?, "3");
    let last = host.run("exit 3").retry(1, Duration::ZERO).await?;
    assert_eq!(last.status()?, &ExitStatus::Code(3), "and the last failure is none");
    let last = strict.connect(sshd.alias())?.run("exit 3").warn().retry(1, Duration::ZERO).await?;
    assert_eq!(last.status()?, &ExitStatus::Code(3));
    lenient.close().await;
    strict.close().await;
    Ok(())
}
