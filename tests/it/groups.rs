//! Groups of hosts: every host has an outcome, in the order of the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fabrs::HostFailures;
use fabrs::config::{OnUnreachable, Order, Settings};
use fabrs::event::{CaptureSink, OutcomeKind};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer, StopLevel};
use fabrs_testing::faults::RefusedPort;
use fabrs_testing::{Sshd, wait_until};
use tokio::sync::{Barrier, Notify};

use crate::support::{LIMIT, capture, client_of, event_texts, expect_error, fake_client, outcome_lines, within_limit};

const WEB: [&str; 3] = ["web3", "web1", "web2"];

fn group(fake: &Fake, hosts: impl IntoIterator<Item = &'static str>) -> Group {
    Group::of(&fake_client(fake, "").build(), hosts).expect("the host names are valid")
}

fn names(hosts: &[Host]) -> Vec<&str> {
    hosts.iter().map(Host::name).collect()
}

#[tokio::test]
async fn every_host_has_its_output_in_group_order() -> Result {
    let fake = WEB.iter().fold(Fake::new(), |fake, name| {
        fake.on(&format!("{name}: hostname"), FakeAnswer::stdout(format!("{name}.example.com\n")))
    });
    let outcomes = group(&fake, WEB).run("hostname").await;
    assert_eq!(outcomes.len(), 3);
    let lines = outcomes.all_ok()?.into_iter().map(|(host, output)| Ok((host.name().to_owned(), output.line()?)));
    let expected = WEB.map(|name| (name.to_owned(), format!("{name}.example.com")));
    assert_eq!(lines.collect::<Result<Vec<_>>>()?, expected);
    Ok(())
}

#[tokio::test]
async fn a_failure_stops_no_other_host_and_the_error_lists_all_outcomes() -> Result {
    let fake = Fake::new().on("reload", FakeAnswer::code(0)).on("web1: reload", FakeAnswer::code(3));
    let outcomes = group(&fake, WEB).serial().run("reload").await;
    assert_eq!(fake.commands(), ["web3: reload", "web1: reload", "web2: reload"]);
    assert_eq!(outcome_lines(&outcomes), ["web3: ok", "web1: failed", "web2: ok"]);

    let error = expect_error(outcomes.all_ok(), ErrorKind::Exit);
    assert_eq!(error.to_string(), "1 of 3 hosts failed");
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<HostFailures>());
    let failures = source.context("the source is the list")?;
    assert_eq!(names(failures.succeeded()), ["web3", "web2"]);
    let [(host, OutcomeKind::Failed, Some(why))] = failures.failed() else { panic!("{failures:?}") };
    assert_eq!((host.name(), why.kind()), ("web1", ErrorKind::Exit));
    assert!(error.block().to_string().contains("web1: `reload` ended with exit status 3"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_group_error_merges_equal_failures() {
    let fake = Fake::new().on("reload", FakeAnswer::code(3)).on("web1: reload", FakeAnswer::code(4));
    let error = expect_error(group(&fake, WEB).serial().run("reload").await.all_ok(), ErrorKind::Exit);
    let causes = "web3, web2: `reload` ended with exit status 3\nweb1: `reload` ended with exit status 4";
    assert_eq!((error.to_string().as_str(), error.causes()), ("3 of 3 hosts failed", vec![causes.to_owned()]));
}

#[tokio::test]
async fn all_hosts_run_concurrently_and_return_their_values() -> Result {
    let fake = Fake::new().on("true", FakeAnswer::code(0));
    let barrier = Arc::new(Barrier::new(WEB.len()));
    let group = group(&fake, WEB);
    let outcomes = group.each(|host| {
        let barrier = Arc::clone(&barrier);
        async move {
            host.run("true").await?;
            // No host passes the barrier before the arrival of all hosts.
            barrier.wait().await;
            Ok::<_, TaskError>(host.host().map(|host| format!("value of {}", host.name())))
        }
    });
    let outcomes = within_limit(outcomes).await;
    let values: Vec<_> = outcomes.succeeded().map(|(host, value)| (host.name(), value.clone())).collect();
    assert_eq!(values, WEB.map(|name| (name, Some(format!("value of {name}")))));
    Ok(())
}

#[tokio::test]
async fn an_empty_option_is_kept_as_a_value() {
    let outcomes = group(&Fake::new(), WEB).each(|_| async { Ok::<Option<u8>, TaskError>(None) }).await;
    assert!(outcomes.succeeded().all(|(_, value)| value.is_none()));
    assert_eq!(outcome_lines(&outcomes), ["web3: ok", "web1: ok", "web2: ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_real_hosts_run_concurrently() -> Result {
    let sshd = Sshd::builder().aliases(WEB).start();
    let client = client_of(&sshd, "").build();
    let scratch = sshd.scratch();
    let (scratch, others) = (scratch.display().to_string(), WEB.join(" "));
    let group = Group::of(&client, WEB)?;
    let outcomes = group.each(|host| {
        let own = format!("{scratch}/{}", host.host().map(Host::name).unwrap_or_default());
        let wait = ShellLine::raw(format!(
            "touch {own}; for other in {others}; do while ! test -e {scratch}/$other; do sleep 0.01; done; done"
        ));
        host.run(&wait)
    });
    within_limit(outcomes).await.all_ok()?;
    client.close().await;
    Ok(())
}

/// Returns the maximum number of concurrent hosts, and the commands in their order.
async fn max_concurrency(settings: Settings, change: impl FnOnce(Group) -> Group) -> (usize, Vec<String>) {
    let fake = Fake::new().on("true", FakeAnswer::code(0));
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = fake_client(&fake, "").settings(settings).build();
    let group = change(Group::of(&client, ["d", "c", "b", "a"]).expect("the host names are valid"));
    let outcomes = group.each(|host| {
        let (now, most) = (&now, &most);
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            host.run("true").await?;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, TaskError>(())
        }
    });
    assert!(outcomes.await.all_ok().is_ok());
    (most.into_inner(), fake.commands())
}

#[tokio::test]
async fn the_limit_bounds_concurrent_hosts_and_hosts_start_in_order() {
    let order = ["d: true", "c: true", "b: true", "a: true"].map(str::to_owned).to_vec();
    for limit in [1, 2, 3] {
        assert_eq!(max_concurrency(Settings::default(), |group| group.limit(limit)).await, (limit, order.clone()));
    }
    let (most, commands) = max_concurrency(Settings::default(), |group| group.limit(0)).await;
    assert_eq!((most, commands), (1, order), "a limit of 0 counts as 1");
}

#[tokio::test]
async fn a_limit_in_percent_refers_to_the_hosts_of_the_group() {
    for (percent, expected) in [("1%", 1), ("49%", 1), ("50%", 2), ("100%", 4), ("0%", 1)] {
        let (most, _) = max_concurrency(Settings::default(), |group| group.limit(percent)).await;
        assert_eq!(most, expected, "{percent} of 4 hosts");
    }
    let typed = Settings::default().limit(std::num::NonZeroUsize::new(1));
    assert_eq!(max_concurrency(typed, |group| group.limit("50%")).await.0, 1, "a smaller `-P` wins");
}

#[tokio::test]
async fn an_invalid_limit_is_an_error_on_every_host_before_any_command() {
    let fake = Fake::new().on("go", FakeAnswer::code(0));
    let group = group(&fake, ["a", "b"]).limit("x%");
    for group in [group.clone(), group.filter(|_| true)] {
        let outcomes = group.run("go").await;
        assert_eq!(outcome_lines(&outcomes), ["a: failed", "b: failed"]);
        let error = outcomes.all_ok().expect_err("the limit is invalid");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.block().to_string().contains("`x%` is neither a number of hosts (`2`) nor"), "{}", error.block());
    }
    assert!(fake.commands().is_empty());
    assert_eq!(outcome_lines(&group.limit(1).run("go").await), ["a: ok", "b: ok"], "the last limit applies");
}

#[tokio::test]
async fn the_smaller_limit_of_command_line_and_group_applies() {
    let typed = |n| Settings::default().limit(std::num::NonZeroUsize::new(n));
    let serial = || Settings::default().order(Order::Serial);
    let keep = |group: &Group| group.filter(|_| true);
    assert_eq!(max_concurrency(typed(2), |group| group).await.0, 2);
    assert_eq!(max_concurrency(typed(2), |group| group.limit(3)).await.0, 2);
    assert_eq!(max_concurrency(typed(3), |group| group.limit(2)).await.0, 2);
    assert_eq!(max_concurrency(typed(2), |group| keep(&group)).await.0, 2);
    assert_eq!(max_concurrency(typed(2), |group| Group::new(group.connections().to_vec())).await.0, 2);
    assert_eq!(max_concurrency(typed(2), |group| group.uncancellable().expect("the host names are valid")).await.0, 2);
    assert_eq!(max_concurrency(serial(), |group| group.limit(3)).await.0, 1);
    assert_eq!(max_concurrency(Settings::default(), |group| keep(&group.serial())).await.0, 1);
}

#[tokio::test]
async fn batches_respect_their_size_and_the_settings_of_the_group() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).unreachable("b");
    let group = group(&fake, ["a", "b", "c"]).skip_unreachable();
    let mut all = Vec::new();
    for batch in group.batches([2])? {
        all.push(outcome_lines(&batch.run("go").await));
    }
    assert_eq!(all, [vec!["a: ok", "b: skipped"], vec!["c: ok"]]);
    let sizes = |batches: Vec<Group>| batches.iter().map(|batch| batch.connections().len()).collect::<Vec<_>>();
    assert_eq!(sizes(group.batches(["34%", "100%"])?), [1, 2]);
    assert_eq!(sizes(group.batches(["1"])?), [1, 1, 1]);
    assert_eq!(group.batches([0]).expect_err("0 is invalid").kind(), ErrorKind::Usage);
    assert_eq!(group.batches(["101%"]).expect_err("101% is invalid").kind(), ErrorKind::Usage);
    let part = group.filter(|c| c.host().is_some_and(|host| host.name() != "a")).require_all();
    assert_eq!(outcome_lines(&part.run("go").await), ["b: unreachable", "c: ok"]);
    Ok(())
}

#[tokio::test]
async fn a_skipped_host_is_a_warning_and_a_group_of_skipped_hosts_is_an_error() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).unreachable("gone").unreachable("away");
    let (seen, sink) = capture();
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let client = fake_client(&fake, "").settings(settings).sink(sink).build();
    let outcomes = Group::of(&client, ["gone", "web1"])?.run("go").await;
    assert_eq!(outcome_lines(&outcomes), ["gone: skipped", "web1: ok"]);
    assert_eq!(outcomes.all_ok()?.len(), 1);
    let warnings = seen.of_kind("warning");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["host"], "gone");

    let error = expect_error(Group::of(&client, ["gone", "away"])?.run("go").await.all_ok(), ErrorKind::Connect);
    assert_eq!(error.to_string(), "gone: all 2 hosts were skipped");
    let error = expect_error(Group::of(&client, ["gone"])?.run("go").await.all_ok(), ErrorKind::Connect);
    assert_eq!(error.to_string(), "gone: the only host was skipped");
    Ok(())
}

#[tokio::test]
async fn a_host_lost_between_two_groups_is_not_skipped() -> Result {
    let fake = Fake::new().on("stop", FakeAnswer::code(0));
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let client = fake_client(&fake, "").settings(settings).build();
    assert_eq!(outcome_lines(&Group::of(&client, ["web1"])?.run("stop").await), ["web1: ok"]);
    let _gone = fake.unreachable("web1");
    let outcomes = Group::of(&client, ["web1", "web2"])?.run("start").await;
    assert_eq!(outcome_lines(&outcomes)[0], "web1: lost");
    Ok(())
}

#[tokio::test]
async fn a_reachable_host_whose_task_needs_an_unreachable_host_is_not_skipped() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).unreachable("db1");
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip);
    let client = fake_client(&fake, "").settings(settings).build();
    let web = Group::of(&client, ["web1"])?;
    let needs_all = web.each(|_| async { on(["db1"])?.run("go").await.all_ok() });
    assert_eq!(outcome_lines(&needs_all.await), ["web1: unreachable"]);
    let strict = web.each(|_| async { on(["db1", "web1"])?.require_all().run("go").await.all_ok() });
    assert_eq!(outcome_lines(&strict.await), ["web1: unreachable"]);
    let with_context = web.each(|c| async move {
        c.run("go").await?;
        on(["db1"])?.run("go").await.all_ok().context("asking the database")
    });
    assert_eq!(outcome_lines(&with_context.await), ["web1: unreachable"]);
    Ok(())
}

#[tokio::test]
async fn every_outcome_is_reported_independently() -> Result {
    let fake = Fake::new()
        .on("go", FakeAnswer::stdout("went\n"))
        .on("bad: go", FakeAnswer::code(255))
        .on("cut: go", FakeAnswer::connection_lost())
        .on("slow: go", FakeAnswer::hang())
        .unreachable("gone");
    let (seen, sink) = capture();
    let client = fake_client(&fake, "").sink(sink).build();
    let group = Group::of(&client, ["bad", "cut", "gone", "slow", "good"])?;
    let stop = async {
        within_limit(wait_for_ended_commands(&seen, 4)).await;
        client.stop().raise(StopLevel::Stop);
    };
    let (outcomes, ()) = tokio::join!(group.run("go"), stop);
    let expected = ["bad: failed", "cut: lost", "gone: unreachable", "slow: cancelled", "good: ok"];
    assert_eq!(outcome_lines(&outcomes), expected);
    let kinds: Vec<_> = outcomes.failed().filter_map(|(_, outcome)| Some(outcome.error()?.kind())).collect();
    assert_eq!(kinds, [ErrorKind::Exit, ErrorKind::Channel, ErrorKind::Connect, ErrorKind::Cancelled]);
    client.close().await;
    Ok(())
}

/// Waits until this many commands have ended.
async fn wait_for_ended_commands(seen: &CaptureSink, count: usize) {
    while seen.of_kind("command_ended").len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopped_run_starts_no_further_host() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).on("web1: go", FakeAnswer::hang());
    let client = fake_client(&fake, "").build();
    let group = Group::of(&client, WEB)?.serial();
    let stop = async {
        while fake.commands().len() < 2 {
            tokio::task::yield_now().await;
        }
        client.stop().raise(StopLevel::Stop);
    };
    let (outcomes, ()) = within_limit(async { tokio::join!(group.run("go"), stop) }).await;
    assert_eq!(outcome_lines(&outcomes), ["web3: ok", "web1: cancelled", "web2: not started"]);
    expect_error(outcomes.all_ok(), ErrorKind::Cancelled);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_port_or_login_is_unreachable_and_other_hosts_continue() -> Result {
    let sshd = Sshd::builder().aliases(["web1", "gone", "locked", "web2"]).start();
    let refused = RefusedPort::reserve();
    let first = format!("Host gone\n    Port {}\nHost locked\n    User nobody-of-this-name\n", refused.addr().port());
    let client = client_of(&sshd, &first).build();
    let outcomes = within_limit(Group::of(&client, ["gone", "web1", "locked", "web2"])?.run("true")).await;
    assert_eq!(outcome_lines(&outcomes), ["gone: unreachable", "web1: ok", "locked: unreachable", "web2: ok"]);
    let kinds: Vec<_> = outcomes.failed().filter_map(|(_, outcome)| Some(outcome.error()?.kind())).collect();
    assert_eq!(kinds, [ErrorKind::Connect, ErrorKind::Auth]);
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn stop_on_failure_starts_no_further_host() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).on("web1: go", FakeAnswer::code(1));
    let outcomes = group(&fake, WEB).serial().stop_on_failure().run("go").await;
    assert_eq!(outcome_lines(&outcomes), ["web3: ok", "web1: failed", "web2: not started"]);
    assert_eq!(fake.commands(), ["web3: go", "web1: go"]);
    let error = expect_error(outcomes.all_ok(), ErrorKind::Exit);
    assert!(error.block().to_string().contains("web2: not started"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn running_hosts_finish_after_a_failure_with_stop_on_failure() {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).on("web1: go", FakeAnswer::code(1));
    let failed = Notify::new();
    let group = group(&fake, WEB).stop_on_failure().limit(2);
    let outcomes = group.each(|host| {
        let failed = &failed;
        async move {
            match host.host().map(Host::name) {
                Some("web1") => failed.notify_one(),
                _ => failed.notified().await,
            }
            host.run("go").await
        }
    });
    assert_eq!(outcome_lines(&within_limit(outcomes).await), ["web3: ok", "web1: failed", "web2: not started"]);
}

#[tokio::test]
async fn skip_unreachable_keeps_the_error_of_a_skipped_host() -> Result {
    let fake = Fake::new().on("go", FakeAnswer::code(0)).unreachable("web1");
    let outcomes = group(&fake, WEB).skip_unreachable().stop_on_failure().serial().run("go").await;
    assert_eq!(outcome_lines(&outcomes), ["web3: ok", "web1: skipped", "web2: ok"]);
    let skipped = outcomes.get(&"web1".parse()?).and_then(Outcome::error).context("its error is kept")?;
    assert_eq!((skipped.kind(), skipped.host().map(Host::name)), (ErrorKind::Connect, Some("web1")));
    let done = outcomes.all_ok()?;
    assert_eq!(done.iter().map(|(host, _)| host.name()).collect::<Vec<_>>(), ["web3", "web2"]);
    Ok(())
}

#[tokio::test]
async fn a_group_may_contain_a_host_twice_with_different_settings() -> Result {
    let fake = Fake::new().on("cd /a && ls", FakeAnswer::stdout("a\n")).on("cd /b && ls", FakeAnswer::stdout("b\n"));
    let host = fake_client(&fake, "").build().connect("web1")?;
    let outcomes = Group::new(vec![host.cd("/a"), host.cd("/b")]).run("ls").await;
    let lines = outcomes.all_ok()?.into_iter().map(|(_, output)| output.line()).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(lines, ["a", "b"]);
    Ok(())
}

#[tokio::test]
async fn an_empty_group_succeeds() -> Result {
    let fake = Fake::new();
    let outcomes = group(&fake, []).run("go").await;
    assert!(outcomes.is_empty() && outcomes.all_ok()?.is_empty());
    expect_error(Group::of(&fake_client(&fake, "").build(), ["web1", "no host"]), ErrorKind::Usage);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_group_run_ends_the_commands_of_all_hosts() -> Result {
    let fake = Fake::new().on("wait", FakeAnswer::hang());
    let (seen, sink) = capture();
    let client = fake_client(&fake, "").sink(sink).build();
    let group = Group::of(&client, WEB)?;
    tokio::select! {
        outcomes = group.run("wait") => panic!("the commands ended: {:?}", outcome_lines(&outcomes)),
        () = async { while fake.commands().len() < 3 { tokio::task::yield_now().await } } => {}
    }
    within_limit(client.close()).await;
    wait_until("all commands have ended", LIMIT, || seen.of_kind("command_ended").len() == 3);
    assert_eq!(event_texts(&seen, "unconfirmed_stop", "host"), [""; 0]);
    Ok(())
}
