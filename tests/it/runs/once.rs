//! `once` and `effect`: values computed once for all hosts of a run, and changes without a command.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use fabrs::config::{OnFailure, OnUnreachable, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Error, ErrorKind, ExitCode};
use futures::future::pending;
use futures::poll;

use super::{going_on, lines};
use crate::support::{block, capture, carry_out, refused, scripted, soon, told};

#[task]
async fn takes_one_tag() -> Result {
    let tag = once("tag", probe("newest").line()).await?;
    run(cmd!("checkout {tag}")).await?;
    Ok(())
}

#[task]
async fn tells_the_world() -> Result {
    let mail = async { Ok::<_, TaskError>(MAILS.fetch_add(1, Ordering::SeqCst)) };
    assert_eq!(once("mail", effect("mail", mail)).await?.value()?, 0);
    Ok(())
}

static MAILS: AtomicUsize = AtomicUsize::new(0);

fn tagged() -> Fake {
    Fake::new().on("newest", FakeAnswer::stdout("v7\n")).on("checkout v7", FakeAnswer::code(0))
}

#[tokio::test]
async fn the_first_host_settles_it_and_all_others_get_the_value() {
    let fake = tagged();
    let (seen, sink) = capture();
    let report = carry_out(&scripted(&fake, "web1,web2,web3").sink(sink).build(), [takes_one_tag::call()]).await;
    assert!(report.is_ok(), "{:?}", lines(&report));
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("newest")).count(), 1);
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("checkout v7")).count(), 3);
    assert_eq!((told(&seen, "once", "name"), told(&seen, "once", "value")), (vec!["tag".into()], vec!["v7".into()]));
}

#[tokio::test]
async fn it_is_settled_for_a_run_and_not_for_another() {
    let fake = tagged();
    for _ in 0..2 {
        assert!(carry_out(&scripted(&fake, "web1").build(), [takes_one_tag::call()]).await.is_ok());
    }
    assert_eq!(fake.commands().iter().filter(|line| line.ends_with("newest")).count(), 2);
}

#[tokio::test]
async fn an_error_is_settled_too_and_every_host_has_it() {
    let fake = tagged().on("newest", FakeAnswer::code(9));
    let report = carry_out(&going_on(&fake, "web1,web2,web3").build(), [takes_one_tag::call()]).await;
    assert_eq!(lines(&report), ["takes_one_tag: web1: failed, web2: failed, web3: failed"]);
    assert_eq!(fake.commands(), ["web1: newest"]);
    let outcomes = &report.stages()[0].outcomes;
    let blocks: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.error()).map(block).collect();
    assert!(blocks.len() == 3 && blocks.iter().all(|text| *text == blocks[0] && text.starts_with("error: web1:")));
}

#[tokio::test]
async fn a_host_that_is_unreachable_settles_it_for_nobody_else() {
    for (unreachable, code) in [(OnUnreachable::Skip, ExitCode::Ok), (OnUnreachable::Fail, ExitCode::Unreachable)] {
        let fake = tagged().unreachable("web1").unreachable("web2");
        let settings = Settings::default().on_unreachable(unreachable).on_failure(OnFailure::Continue);
        let client = scripted(&fake, "web1,web2,web3,web4").settings(settings).build();
        let report = carry_out(&client, [takes_one_tag::call()]).await;
        assert_eq!(fake.commands(), ["web3: newest", "web3: checkout v7", "web4: checkout v7"]);
        assert_eq!(report.exit_code(), code);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_meanwhile_has_perhaps_done_it_and_is_not_tried_again() {
    let fake = tagged().on("newest", FakeAnswer::connection_lost());
    let report = carry_out(&going_on(&fake, "web1,web2").build(), [takes_one_tag::call()]).await;
    assert_eq!(lines(&report), ["takes_one_tag: web1: lost, web2: lost"]);
    assert_eq!(fake.commands(), ["web1: newest"]);
}

#[tokio::test]
async fn who_waits_takes_over_when_the_first_is_dropped() -> Result {
    let client = scripted(&Fake::new(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let mut second = pin!(two.enter(async { once("tag", async { Ok::<_, Error>(7) }).await }));
    {
        let mut first = pin!(one.enter(async { once("tag", pending::<Result<i32>>()).await }));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
    }
    assert_eq!(soon(second).await?, 7);
    Ok(())
}

#[tokio::test]
async fn one_name_stands_for_values_of_one_type() -> Result {
    let host = scripted(&Fake::new(), "").build().connect("web1")?;
    host.enter(async {
        assert_eq!(once("n", async { Ok::<u8, Error>(1) }).await?, 1);
        assert_eq!(once("n", async { Ok::<u8, Error>(2) }).await?, 1, "it is settled");
        let error = refused(once("n", async { Ok::<String, Error>("1".into()) }).await, ErrorKind::Usage);
        assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
        assert!(error.to_string().contains("`once(\"n\", ..)` stands for values of two types"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn once_within_once_is_an_error_and_waits_for_nothing() -> Result {
    let client = scripted(&Fake::new(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let nested = |outer: &'static str, inner: &'static str| {
        Box::pin(async move { once(outer, async move { once(inner, async { Ok::<u8, Error>(1) }).await }).await })
    };
    let itself = refused(soon(one.enter(nested("a", "a"))).await, ErrorKind::Usage);
    assert!(itself.to_string().contains("`once(\"a\", ..)` is called within `once(\"a\", ..)`"), "{itself}");
    // Without the error, two hosts would wait for each other.
    let both = async { futures::join!(one.enter(nested("x", "y")), two.enter(nested("y", "x"))) };
    let (first, second) = soon(both).await;
    refused(first, ErrorKind::Usage);
    refused(second, ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn outside_a_task_both_are_errors_with_their_line() {
    let error = refused(once("n", async { Ok::<u8, Error>(1) }).await, ErrorKind::Usage);
    assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
    assert!(error.to_string().contains("`once(\"n\", ..)` was called outside a task"), "{error}");
    let error = refused(effect("mail", async { Ok::<u8, Error>(1) }).await, ErrorKind::Usage);
    assert_eq!(error.location().map(std::panic::Location::line), Some(line!() - 1));
    assert!(error.to_string().contains("`effect(\"mail\", ..)` was called outside a task"), "{error}");
}

#[tokio::test]
async fn an_effect_can_be_made_once_for_all_hosts() {
    let report = carry_out(&scripted(&Fake::new(), "web1,web2,web3").build(), [tells_the_world::call()]).await;
    assert!(report.is_ok(), "{:?}", lines(&report));
    assert_eq!(MAILS.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_effect_is_made_and_has_its_value_or_its_error() -> Result {
    let host = scripted(&Fake::new(), "").build().connect("web1")?;
    let made = AtomicUsize::new(0);
    host.enter(async {
        let mail = async {
            made.fetch_add(1, Ordering::SeqCst);
            Ok::<_, TaskError>("sent")
        };
        assert_eq!(effect("mail", mail).await?.value()?, "sent");
        assert_eq!(made.load(Ordering::SeqCst), 1);
        let failing = async { Err::<(), _>(TaskError::msg("the server is full")) };
        let error = refused(effect("mail", failing).await, ErrorKind::Task);
        assert_eq!(error.to_string(), "the server is full");
        Ok(())
    })
    .await
}
