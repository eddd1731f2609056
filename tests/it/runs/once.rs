//! `once` and `effect`: values computed once for all hosts of a run, and changes without a command.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use fabrs::config::{OnFailure, OnUnreachable, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Error, ErrorKind, ExitCode};
use futures::future::pending;
use futures::poll;

use super::{continuing_client, lines};
use crate::support::{capture, error_text, event_texts, execute, expect_error, fake_client, within_limit};

#[task]
async fn deploys_one_tag() -> Result {
    let tag = once("tag", probe("newest").line()).await?;
    run(cmd!("checkout {tag}")).await?;
    Ok(())
}

#[task]
async fn sends_one_mail() -> Result {
    let mail = async { Ok::<_, TaskError>(MAILS.fetch_add(1, Ordering::SeqCst)) };
    assert_eq!(once("mail", effect("mail", mail)).await?.value()?, 0);
    Ok(())
}

static MAILS: AtomicUsize = AtomicUsize::new(0);

fn hosts_with_tag() -> Fake {
    Fake::new().on("newest", FakeAnswer::stdout("v7\n")).on("checkout v7", FakeAnswer::code(0))
}

#[tokio::test]
async fn once_computes_on_the_first_host_and_shares_the_value() {
    let fake = hosts_with_tag();
    let (seen, sink) = capture();
    let report = execute(&fake_client(&fake, "web1,web2,web3").sink(sink).build(), [deploys_one_tag::call()]).await;
    assert!(report.is_ok(), "{:?}", lines(&report));
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("newest")).count(), 1);
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("checkout v7")).count(), 3);
    assert_eq!(
        (event_texts(&seen, "once", "name"), event_texts(&seen, "once", "value")),
        (vec!["tag".into()], vec!["v7".into()])
    );
}

#[tokio::test]
async fn once_is_evaluated_again_in_another_run() {
    let fake = hosts_with_tag();
    for _ in 0..2 {
        assert!(execute(&fake_client(&fake, "web1").build(), [deploys_one_tag::call()]).await.is_ok());
    }
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("newest")).count(), 2);
}

#[tokio::test]
async fn an_error_in_once_is_shared_by_all_hosts() {
    let fake = hosts_with_tag().on("newest", FakeAnswer::code(9));
    let report = execute(&continuing_client(&fake, "web1,web2,web3").build(), [deploys_one_tag::call()]).await;
    assert_eq!(lines(&report), ["deploys_one_tag: web1: failed, web2: failed, web3: failed"]);
    assert_eq!(fake.commands(), ["web1: newest"]);
    let outcomes = &report.stages()[0].outcomes;
    let blocks: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.error()).map(error_text).collect();
    assert!(blocks.len() == 3 && blocks.iter().all(|text| *text == blocks[0] && text.starts_with("error: web1:")));
}

#[tokio::test]
async fn an_unreachable_host_does_not_decide_once_for_other_hosts() {
    for (unreachable, code) in [(OnUnreachable::Skip, ExitCode::Ok), (OnUnreachable::Fail, ExitCode::Unreachable)] {
        let fake = hosts_with_tag().unreachable("web1").unreachable("web2");
        let settings = Settings::default().on_unreachable(unreachable).on_failure(OnFailure::Continue);
        let client = fake_client(&fake, "web1,web2,web3,web4").settings(settings).build();
        let report = execute(&client, [deploys_one_tag::call()]).await;
        assert_eq!(fake.commands(), ["web3: newest", "web3: checkout v7", "web4: checkout v7"]);
        assert_eq!(report.exit_code(), code);
    }
}

#[tokio::test]
async fn a_connection_lost_in_once_is_not_retried() {
    let fake = hosts_with_tag().on("newest", FakeAnswer::connection_lost());
    let report = execute(&continuing_client(&fake, "web1,web2").build(), [deploys_one_tag::call()]).await;
    assert_eq!(lines(&report), ["deploys_one_tag: web1: lost, web2: lost"]);
    assert_eq!(fake.commands(), ["web1: newest"]);
}

#[tokio::test]
async fn a_waiting_host_takes_over_a_dropped_once() -> Result {
    let client = fake_client(&Fake::new(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let mut second = pin!(two.enter(async { once("tag", async { Ok::<_, Error>(7) }).await }));
    {
        let mut first = pin!(one.enter(async { once("tag", pending::<Result<i32>>()).await }));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
    }
    assert_eq!(within_limit(second).await?, 7);
    Ok(())
}

#[tokio::test]
async fn one_once_name_has_one_value_type() -> Result {
    let host = fake_client(&Fake::new(), "").build().connect("web1")?;
    host.enter(async {
        assert_eq!(once("n", async { Ok::<u8, Error>(1) }).await?, 1);
        assert_eq!(once("n", async { Ok::<u8, Error>(2) }).await?, 1, "the value is cached");
        let error = expect_error(once("n", async { Ok::<String, Error>("1".into()) }).await, ErrorKind::Usage);
        assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
        assert!(error.to_string().contains("`once(\"n\", ..)` is used with values of two types"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_nested_once_is_an_error_and_not_a_deadlock() -> Result {
    let client = fake_client(&Fake::new(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let nested = |outer: &'static str, inner: &'static str| {
        Box::pin(async move { once(outer, async move { once(inner, async { Ok::<u8, Error>(1) }).await }).await })
    };
    let itself = expect_error(within_limit(one.enter(nested("a", "a"))).await, ErrorKind::Usage);
    assert!(itself.to_string().contains("`once(\"a\", ..)` was called inside `once(\"a\", ..)`"), "{itself}");
    // Without the error, two hosts would wait for each other.
    let both = async { futures::join!(one.enter(nested("x", "y")), two.enter(nested("y", "x"))) };
    let (first, second) = within_limit(both).await;
    expect_error(first, ErrorKind::Usage);
    expect_error(second, ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn once_and_effect_outside_a_task_are_errors_with_their_line() {
    let error = expect_error(once("n", async { Ok::<u8, Error>(1) }).await, ErrorKind::Usage);
    assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
    assert!(error.to_string().contains("`once(\"n\", ..)` was called outside a task"), "{error}");
    let error = expect_error(effect("mail", async { Ok::<u8, Error>(1) }).await, ErrorKind::Usage);
    assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
    assert!(error.to_string().contains("`effect(\"mail\", ..)` was called outside a task"), "{error}");
}

#[tokio::test]
async fn an_effect_in_once_runs_once_for_all_hosts() {
    let report = execute(&fake_client(&Fake::new(), "web1,web2,web3").build(), [sends_one_mail::call()]).await;
    assert!(report.is_ok(), "{:?}", lines(&report));
    assert_eq!(MAILS.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_effect_returns_its_value_or_its_error() -> Result {
    let host = fake_client(&Fake::new(), "").build().connect("web1")?;
    let made = AtomicUsize::new(0);
    host.enter(async {
        let mail = async {
            made.fetch_add(1, Ordering::SeqCst);
            Ok::<_, TaskError>("sent")
        };
        assert_eq!(effect("mail", mail).await?.value()?, "sent");
        assert_eq!(made.load(Ordering::SeqCst), 1);
        let failing = async { Err::<(), _>(TaskError::msg("the server is full")) };
        let error = expect_error(effect("mail", failing).await, ErrorKind::Task);
        assert_eq!(error.to_string(), "the server is full");
        Ok(())
    })
    .await
}
