//! Gates and canaries: a release is watched after the switch, and reverted by a bad gate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabrs::config::Mode;
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{
    App, Canary, CommandGate, Gate, GateFuture, HttpGate, LogErrors, Measurement, ServiceLog, WatchedHost,
};
use fabrs_testing::receivers::http_document;

use crate::fixture::{Fixture, all};

/// A gate with a fixed list of results. The last result repeats. Records the watched hosts.
#[derive(Clone)]
struct Scripted {
    results: Arc<[Measurement]>,
    measured: Arc<AtomicUsize>,
    hosts: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(results: impl IntoIterator<Item = Measurement>) -> Self {
        Self { results: results.into_iter().collect(), measured: Arc::default(), hosts: Arc::default() }
    }

    fn measured(&self) -> usize {
        self.measured.load(Ordering::Relaxed)
    }

    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gate for Scripted {
    fn name(&self) -> String {
        "scripted gate".to_owned()
    }

    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
        let number = self.measured.fetch_add(1, Ordering::Relaxed);
        let names = hosts.iter().filter_map(|host| Some(host.app().connection().host()?.to_string()));
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        let result = self.results[number.min(self.results.len().saturating_sub(1))].clone();
        Box::pin(async move { Ok(result) })
    }
}

/// Deploys the first build without gates, and makes the second build.
async fn deploy_first(fixture: &Fixture, client: &Client) -> Result<String> {
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = fixture.site().deploy(all(client)).await?.release.to_string();
    fixture.origin.build("deployable-2", &[("version", "two")]);
    Ok(first)
}

/// Returns the messages of a run as one text.
fn messages(capture: &CaptureSink) -> String {
    let texts = capture.of_kind("message");
    texts.iter().filter_map(|message| message["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// A site without a health check. Its services write to `service.log`.
fn logging_site(fixture: &Fixture) -> fabrs_deploy::Site {
    fixture.site().restart(|app: App| {
        let log = format!("{}/service.log", app.root());
        run(cmd!("printf 'started %s\\n' \"$(cat version)\" >> {log}"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_gate_reverts_the_canary_and_other_hosts_stay_untouched() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let gate = Scripted::new([Measurement::good("fast"), Measurement::bad("too slow")]);
    let canary = Canary::hosts(1).watch(mins(5)).every(Duration::from_millis(1)).gate(gate.clone());
    let failed = fixture.site().strategy(canary).deploy(all(&client)).await;
    let error = failed.expect_err("the gate is bad").into_error();
    assert_eq!(error.message(), "gate failed: scripted gate: too slow");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert_eq!(gate.hosts(), ["web1", "web1"]);
    let switches =
        [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("revisions.log")).unwrap_or_default());
    assert_eq!(switches.map(|log| log.lines().count()), [3, 1, 1], "only the canary was switched");
    let table = messages(&capture);
    for line in [format!("web1  back on {first}"), "web2  unchanged".to_owned(), "web3  unchanged".to_owned()] {
        assert!(table.lines().any(|shown| shown == line), "{line}: {table}");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_hosts_follow_a_canary_with_good_gates() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let gate = Scripted::new([Measurement::inconclusive("no data"), Measurement::good("fast")]);
    let canary =
        Canary::hosts("34%").watch(Duration::from_millis(50)).every(Duration::from_millis(1)).gate(gate.clone());
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().strategy(canary).deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    assert!(gate.measured() > 1, "the gate was measured again");
    assert!(gate.hosts().iter().all(|host| host == "web1"), "{:?}", gate.hosts());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_stays_inconclusive_reverts_the_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let gate = Scripted::new([Measurement::inconclusive("no data points")]);
    let error = fixture.site().gate(gate).deploy(all(&client)).await.expect_err("no result").into_error();
    assert_eq!(error.message(), "gate inconclusive: scripted gate: no data points");
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    // The build is not marked as bad: the next deploy chooses the build again.
    fixture.site().deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_of_the_site_is_measured_for_each_batch() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let gate = Scripted::new([Measurement::good("fast"), Measurement::bad("too slow")]);
    fixture.site().rolling(1).gate(gate.clone()).deploy(all(&client)).await.unwrap_err();
    assert_eq!(gate.hosts(), ["web1", "web2"]);
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_of_the_site_is_measured_for_each_host_of_a_window() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let gate = Scripted::new([Measurement::good("fast"), Measurement::bad("too slow")]);
    let error = fixture.site().window(1).gate(gate.clone()).deploy(all(&client)).await.unwrap_err().into_error();
    assert!(error.block().to_string().contains("gate failed"), "{}", error.block());
    assert_eq!(gate.hosts(), ["web1", "web2"]);
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_in_a_log_since_the_switch_revert_the_deploy_with_the_lines() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    for host in 0..3 {
        fixture.write(host, "service.log", "ERROR of an earlier release\n");
    }
    let gate = LogErrors::file("service.log");
    logging_site(&fixture).gate(gate.clone()).deploy(all(&client)).await?;

    fixture.origin.build("deployable-3", &[("version", "ERROR in three")]);
    let failed = logging_site(&fixture).gate(gate).rolling(1).deploy(all(&client)).await;
    let block = failed.expect_err("the log has an error").into_error().block().to_string();
    assert!(
        block.contains("web1: gate failed: errors in the file `service.log`: 1 error line since the switch"),
        "{block}"
    );
    assert!(block.contains("last lines of the file `service.log` since the switch"), "{block}");
    assert!(block.contains("started ERROR in three") && !block.contains("earlier release"), "{block}");
    assert_ne!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert_eq!(fixture.live("version"), ["two"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_file_is_followed_through_log_rotation() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    for (build, rotate, expected) in [
        ("deployable-1", "mv service.log service.log.1", "2 error lines"),
        ("deployable-2", "cp service.log service.log.1 && : > service.log", "1 error line "),
    ] {
        fixture.origin.build(build, &[("version", build)]);
        for host in 0..3 {
            fixture.write(host, "service.log", "ERROR of an earlier release\n");
        }
        let site = fixture.site().restart(move |app: App| {
            let line = format!(
                "cd {} && echo ERROR one >> service.log && {rotate} && echo ERROR two >> service.log",
                app.root()
            );
            run(ShellLine::raw(line))
        });
        let failed = site.gate(LogErrors::file("service.log")).deploy(all(&client)).await;
        let message = failed.expect_err("the log has errors").into_error().message().to_owned();
        assert!(message.contains(expected), "{message}");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_health_check_has_the_last_log_lines_since_the_switch() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = logging_site(&fixture).log(ServiceLog::file("service.log")).health(|_| probe("exit 7"));
    let error = site.rolling(1).deploy(all(&client)).await.expect_err("the check fails").into_error();
    let block = error.block().to_string();
    assert!(
        block.contains("last lines of the file `service.log` since the switch:") && block.contains("started one"),
        "{block}"
    );
    let release = fixture.names(0, "releases").pop().context("the bad release stays")?;
    let bad = fs::read_to_string(fixture.root(0).join("releases").join(release).join("BAD_RELEASE"))?;
    assert!(bad.contains("exit 7") && !bad.contains("last lines"), "{bad}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_log_of_a_gate_refuses_the_deploy_before_any_switch() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    // The hosts of these tests run no journald.
    let site = fixture.site().gate(LogErrors::journal("shop"));
    let error = site.deploy(all(&client)).await.expect_err("no journal").into_error();
    assert!(error.block().to_string().contains("could not read the journal of `shop`"), "{}", error.block());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert_eq!(fixture.names(0, "releases").len(), 1, "nothing was built");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_gate_reverts_on_a_failed_command() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let gate = || CommandGate::new("version", |_| probe("[ \"$(cat version)\" = one ]"));
    let error = fixture.site().gate(gate()).deploy(all(&client)).await.expect_err("the version is two").into_error();
    assert!(error.message().starts_with("gate failed: version: "), "{}", error.message());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    let lines = ["echo 14 jobs wait; exit 1", "echo 14 jobs wait >&2; echo a line of stdout; exit 1"];
    for (build, line) in ["deployable-3", "deployable-4"].into_iter().zip(lines) {
        fixture.origin.build(build, &[("version", build)]);
        let queue = CommandGate::new("queue", move |_| probe(line));
        let error = fixture.site().gate(queue).deploy(all(&client)).await.expect_err("14 jobs").into_error();
        assert_eq!(error.message(), "gate failed: queue: 14 jobs wait");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_without_a_name_and_a_log_without_a_path_are_refused_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    for site in [
        fixture.site().gate(CommandGate::new(" ", |_| probe("true"))),
        fixture.site().gate(LogErrors::file("")),
        fixture.site().strategy(Canary::hosts(1).gate(LogErrors::journal(""))),
        fixture.site().log(ServiceLog::file("")),
    ] {
        let error = site.deploy(all(&client)).await.expect_err("an empty name").into_error();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.message().contains("empty"), "{error}");
    }
    assert_eq!(fixture.names(0, "releases"), [first], "nothing was built");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_gate_checks_status_and_text() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let server = http_document("Welcome");
    let home = || HttpGate::get(format!("http://{}/", server.addr()));
    fixture.site().gate(home().contains("Welcome")).deploy(all(&client)).await?;
    for (build, gate, expected) in [
        ("deployable-2", home().contains("Goodbye"), "the response does not contain `Goodbye`"),
        ("deployable-3", home().status(302), "status 200 instead of 302"),
    ] {
        fixture.origin.build(build, &[("version", "two")]);
        let error = fixture.site().gate(gate).deploy(all(&client)).await.expect_err("a bad gate").into_error();
        assert!(error.message().ends_with(expected), "{}", error.message());
        assert_eq!(fixture.live("version"), ["one"; 3]);
    }
    client.close().await;
    Ok(())
}

#[cfg(feature = "gate-json")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_in_a_json_document_is_compared_with_its_limit_or_another_document() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let (now, before) = (http_document("[[7, 1]]"), http_document("[[4, 1]]"));
    let url = |addr| format!("http://{addr}/render");
    let query = || fabrs_deploy::JsonQuery::get(url(now.addr()), "$[*][0]");
    for (build, gate, expected) in [
        ("deployable-1", query().at_most(7.0), None),
        ("deployable-2", query().at_most(6.5), Some("7 is above the limit 6.5")),
        ("deployable-3", query().at_most_ratio(2.0, url(before.addr())), None),
        ("deployable-4", query().at_most_ratio(1.5, url(before.addr())), Some("7 is 1.75 times the base 4")),
        ("deployable-5", query().at_most_ratio(1.5, "http://127.0.0.1:1/"), Some("gate inconclusive")),
    ] {
        fixture.origin.build(build, &[("version", build)]);
        let deployed = fixture.site().gate(gate).deploy(all(&client)).await;
        let error = deployed.err().map(|error| error.into_error().message().to_owned());
        assert_eq!(error.is_some(), expected.is_some(), "{build}: {error:?}");
        let text = error.unwrap_or_default();
        assert!(text.contains(expected.unwrap_or_default()), "{build}: {text}");
    }
    assert_eq!(now.receive(), "/render");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_a_gate_reverts_the_canary() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    // The list of results is empty.
    let canary = Canary::hosts(1).gate(Scripted::new([]));
    let error = fixture.site().strategy(canary).deploy(all(&client)).await.expect_err("a panic").into_error();
    assert!(error.block().to_string().contains("the gate panicked"), "{}", error.block());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_has_no_canary_and_measures_no_gate() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    fixture.site().deploy(all(&client)).await?;
    let gate = Scripted::new([Measurement::bad("the live release is slow")]);
    let site = fixture.site().gate(gate.clone()).strategy(Canary::hosts(1).watch(mins(5)).gate(gate.clone()));
    site.rollback(all(&client)).await?;
    assert_eq!(gate.measured(), 0);
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_of_a_subset_is_measured_on_its_hosts_only() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let gate = Scripted::new([Measurement::good("fast")]);
    fixture.site().on(["web2"], |site| site.gate(gate.clone())).deploy(all(&client)).await?;
    assert_eq!(gate.hosts(), ["web2"]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_log_file_is_inconclusive_and_an_unreadable_one_refuses_the_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let site = || fixture.site().gate(LogErrors::file("service.log"));
    let error = site().deploy(all(&client)).await.expect_err("no file").into_error();
    assert!(error.message().contains("gate inconclusive") && error.message().contains("does not exist"), "{error}");
    for host in 0..3 {
        fs::write(fixture.root(host).join("service.log"), "")?;
        fs::set_permissions(fixture.root(host).join("service.log"), fs::Permissions::from_mode(0o600))?;
    }
    fixture.origin.build("deployable-3", &[("version", "three")]);
    let error = site().deploy(all(&client)).await.expect_err("a file of root").into_error();
    assert!(error.block().to_string().contains("permission denied: service.log"), "{}", error.block());
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_during_the_watch_reverts_the_canary() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let first = deploy_first(&fixture, &client).await?;
    let stop = client.stop().clone();
    let gate = CommandGate::new("stopping", move |_| {
        stop.raise(fabrs::transport::StopLevel::Stop);
        async { Ok::<(), TaskError>(()) }
    });
    let canary = Canary::hosts(1).watch(mins(60)).every(mins(60)).gate(gate);
    let error = fixture.site().strategy(canary).deploy(all(&client)).await.expect_err("stopped").into_error();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.block());
    client.close().await;
    assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.clone()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_prints_the_watch_and_measures_nothing() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    deploy_first(&fixture, &client).await?;
    client.close().await;
    let (client, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    let gate = Scripted::new([Measurement::bad("too slow")]);
    let canary = Canary::hosts(1).watch(mins(5)).gate(gate.clone());
    fixture.site().strategy(canary).deploy(all(&client)).await?;
    client.close().await;
    assert_eq!(gate.measured(), 0);
    let planned = capture.of_kind("planned");
    assert!(planned.iter().any(|plan| plan["operation"] == "watch web1 for 5m: scripted gate"), "{planned:?}");
    Ok(())
}
