//! Dry runs: commands are planned without a connection, and a plan ends at the first use of a
//! missing result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fabrs::config::{Mode, OnFailure, PromptPolicy, Settings};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ClientBuilder, Error, ExitCode, Report};
use fabrs_testing::Sshd;
use fabrs_testing::faults::{Proxy, RefusedPort};
use serde_json::Value;

use crate::support::{
    capture, event_texts, execute, expect_error, fake_client, outcome_lines, proxy_config, settings, ssh_config,
    within_limit,
};

fn dry_run_settings() -> Settings {
    Settings::default().mode(Mode::DryRun).prompts(PromptPolicy::Refuse).on_failure(OnFailure::Continue)
}

/// Returns a dry-run client of scripted hosts.
fn dry_run_client(fake: &Fake, hosts: &str) -> ClientBuilder {
    fake_client(fake, hosts).settings(dry_run_settings())
}

/// Returns the planned commands, as `host: line`.
fn planned(seen: &CaptureSink) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("here").to_owned();
    seen.of_kind("planned")
        .iter()
        .map(|event| format!("{}: {}", text(&event["host"]), text(&event["operation"])))
        .collect()
}

/// Plans a task on hosts with an answer to `now`. Returns the report and the planned commands.
async fn plan_of(call: Call, hosts: &str) -> (Report, Vec<String>) {
    let (seen, sink) = capture();
    let fake = Fake::new().on("now", FakeAnswer::stdout("1\n"));
    let report = execute(&dry_run_client(&fake, hosts).sink(sink).build(), [call]).await;
    assert!(fake.commands().iter().all(|line| line.ends_with(": now")), "{:?}", fake.commands());
    (report, planned(&seen))
}

#[tokio::test]
async fn a_change_is_planned_and_not_made() -> Result {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("file");
    let (seen, sink) = capture();
    let client = Client::builder().settings(dry_run_settings()).sink(sink).build();
    client.local()?.run(cmd!("touch {file}")).await?;
    assert_eq!(planned(&seen), [format!("@local: touch {}", file.display())]);
    assert!(!file.exists());
    client.local()?.probe(cmd!("touch {file}")).await?;
    assert!(file.exists(), "a probe runs in a dry run");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_only_changed_is_never_connected_to() -> Result {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let (seen, sink) = capture();
    let settings = settings(&ssh_config(&sshd, &proxy_config(&proxy, &sshd))).mode(Mode::DryRun);
    let client = Client::builder().settings(settings).sink(sink).build();
    let host = client.connect(sshd.alias())?;
    host.connect().await?;
    host.cd("/srv").env("A", "b c").run("make install").timeout(secs(1)).pty().stdin("yes").await?;
    host.run("exit 3").spawn()?.await?;
    assert_eq!(event_texts(&seen, "planned", "operation"), ["cd /srv && export A='b c' && make install", "exit 3"]);
    assert_eq!(proxy.accepted(), 0);

    assert_eq!(host.probe("echo read").line().await?, "read");
    assert_eq!(proxy.accepted(), 1, "a read needs a connection");
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_change_on_an_unreachable_host_is_planned_and_a_read_fails() -> Result {
    let port = RefusedPort::reserve();
    let client = Client::builder().settings(dry_run_settings()).build();
    let host = client.connect(format!("someone@127.0.0.1:{}", port.addr().port()))?;
    within_limit(host.run("reboot")).await?;
    expect_error(within_limit(host.probe("uptime")).await, ErrorKind::Connect);

    let nowhere = client.connect("no-such-host.invalid")?;
    within_limit(nowhere.run("reboot")).await?;
    Ok(())
}

#[tokio::test]
async fn a_read_after_planned_changes_is_marked_on_that_host_only() -> Result {
    let (seen, sink) = capture();
    let client = dry_run_client(&Fake::new().on("now", FakeAnswer::stdout("1\n")), "").sink(sink).build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    one.probe("now").await?;
    assert!(seen.of_kind("stale_read").is_empty());
    one.run("change").await?;
    one.probe("now").await?;
    one.cd("/srv").run("change").await?;
    client.connect("web1")?.probe("now").await?;
    two.probe("now").await?;
    let marks: Vec<_> =
        seen.of_kind("stale_read").iter().map(|e| (e["host"].clone(), e["planned_changes"].clone())).collect();
    assert_eq!(marks, [("web1".into(), 1.into()), ("web1".into(), 2.into())]);
    Ok(())
}

/// Asserts that an error names the lines of the planned change and of the use of the result.
#[track_caller]
fn assert_both_locations(error: &Error, made: u32, looked: u32) {
    assert!(error.to_string().contains(&format!("`change` ({}:{made}) was not run", file!())), "{error}");
    assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), looked)));
}

#[tokio::test]
async fn every_use_of_a_missing_result_names_both_lines() -> Result {
    let client = dry_run_client(&Fake::new(), "").build();
    let planned = async || client.connect("web1")?.run("change").await;
    let made_at = line!() - 1;
    assert_both_locations(&expect_error(planned().await?.status(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.ok(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.stdout(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.stdout_bytes(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.stderr(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.line(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.lines(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.tail(1), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(planned().await?.json::<Value>(), ErrorKind::NotRun), made_at, line!());
    Ok(())
}

#[tokio::test]
async fn the_short_forms_of_a_command_name_their_line() -> Result {
    let client = dry_run_client(&Fake::new(), "").build();
    let made = || Ok::<_, TaskError>(client.connect("web1")?.run("change"));
    let made_at = line!() - 1;
    assert_both_locations(&expect_error(made()?.ok().await, ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(made()?.line().await, ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(made()?.lines().await, ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(made()?.json::<Value>().await, ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(made()?.warn().await?.ok(), ErrorKind::NotRun), made_at, line!());
    assert_both_locations(&expect_error(made()?.spawn()?.await?.status(), ErrorKind::NotRun), made_at, line!());
    Ok(())
}

#[tokio::test]
async fn the_command_and_host_of_a_planned_output_are_available() -> Result {
    let client = dry_run_client(&Fake::new(), "").build();
    let output = client.connect("deploy@web1")?.cd("/srv").run("ls").await?;
    assert_eq!((output.command(), output.host().to_string()), ("cd /srv && ls", "deploy@web1".to_owned()));
    assert_eq!(output.elapsed(), Duration::ZERO);
    assert_eq!(client.connect("web1")?.probe("ls").await.map(drop).map_err(|e| e.kind()), Err(ErrorKind::Usage));
    Ok(())
}

#[task]
async fn ignores_missing_results() -> Result {
    let output = run("change").await?;
    run("the same on both").await?;
    if current().host().map(Host::name) == Some("web1") {
        expect_error(output.line(), ErrorKind::NotRun);
    }
    drop(run("later").await);
    drop(local("later here").await);
    drop(cd("/srv").env("A", "b").run("later elsewhere").await);
    drop(probe("now").await);
    drop(effect("later mail", async { Ok::<_, TaskError>(1) }).await);
    Ok(())
}

#[task]
async fn ignores_missing_local_results() -> Result {
    drop(local("change here").await?.ok());
    drop(run("later").await);
    Ok(())
}

#[task]
async fn looks() -> Result {
    let free = run("df").await?.line()?;
    run(cmd!("echo {free}")).await?;
    Ok(())
}

#[task]
async fn changes() -> Result {
    run("change").await?;
    Ok(())
}

#[task(local)]
async fn ignores_missing_results_of_a_group() -> Result {
    let outcomes = on(role("web"))?
        .each(|host| async move {
            let output = host.run("change").await?;
            host.run("the same on both").await?;
            if host.host().map(Host::name) == Some("web1") {
                drop(output.ok());
            }
            host.run("later").await
        })
        .await;
    assert_eq!(outcomes.iter().filter(|(_, outcome)| !outcome.is_ok()).count(), 1);
    drop(local("later here").await);
    Ok(())
}

#[task]
async fn ignores_missing_results_of_another_host() -> Result {
    let client = current().client().context("a task has a client")?;
    drop(client.connect("db1")?.run("change").await?.ok());
    drop(run("later").await);
    Ok(())
}

#[tokio::test]
async fn a_plan_covers_all_connections_of_its_task() {
    let (_, planned) = plan_of(ignores_missing_results_of_a_group::call(), "web1,web2").await;
    let of = |host: &str| planned.iter().filter(|line| line.starts_with(host)).cloned().collect::<Vec<_>>();
    assert_eq!(of("web1"), ["web1: change", "web1: the same on both"]);
    assert_eq!(of("web2"), ["web2: change", "web2: the same on both", "web2: later"]);
    assert_eq!(of("@local"), [""; 0], "the plan of the task ended with that of a host");

    let (_, planned) = plan_of(ignores_missing_results_of_another_host::call(), "web1").await;
    assert_eq!(planned, ["db1: change"]);
}

#[tokio::test]
async fn a_plan_ends_at_a_missing_result_even_if_the_error_is_ignored() {
    let (_, planned) = plan_of(ignores_missing_results::call(), "web1,web2").await;
    let of = |host: &str| planned.iter().filter(|line| line.starts_with(host)).cloned().collect::<Vec<_>>();
    assert_eq!(of("web1"), ["web1: change", "web1: the same on both"]);
    let two =
        ["web2: change", "web2: the same on both", "web2: later", "web2: cd /srv && export A=b && later elsewhere"];
    assert_eq!(of("web2"), two);
    assert_eq!(of("@local"), ["@local: later here"]);
    assert_eq!(of("here"), ["here: later mail"]);

    let (_, planned) = plan_of(ignores_missing_local_results::call(), "web1").await;
    assert_eq!(planned, ["@local: change here"]);
}

#[tokio::test]
async fn each_task_has_its_own_plan() {
    let (seen, sink) = capture();
    let client = dry_run_client(&Fake::new(), "web1").sink(sink).build();
    let report = execute(&client, [ignores_missing_results::call(), changes::call()]).await;
    assert_eq!(report.exit_code(), ExitCode::PlanIncomplete, "a task that ignores the error has an incomplete plan");
    assert_eq!(planned(&seen), ["web1: change", "web1: the same on both", "web1: change"]);
}

#[tokio::test]
async fn a_propagated_missing_result_is_the_outcome_of_its_host() {
    let (report, planned) = plan_of(looks::call(), "web1,web2").await;
    let outcomes = &report.stages()[0].outcomes;
    assert_eq!(outcome_lines(outcomes), ["web1: incomplete", "web2: incomplete"]);
    assert_eq!(outcomes.failed().count(), 0);
    let kinds: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| Some(outcome.error()?.kind())).collect();
    assert_eq!(kinds, [ErrorKind::NotRun, ErrorKind::NotRun]);
    assert_eq!(planned, ["web1: df", "web2: df"]);
    assert_eq!(report.exit_code(), ExitCode::PlanIncomplete);
}

#[task]
async fn once_with_a_read() -> Result {
    let tag = once("tag", probe("now").line()).await?;
    run(cmd!("checkout {tag}")).await?;
    once("migrate", run("migrate")).await?;
    run("reload").await?;
    Ok(())
}

#[task]
async fn once_with_a_change_and_ignored_error() -> Result {
    let output = once("migrate", run("migrate")).await?;
    drop(output.line());
    drop(run("later").await);
    Ok(())
}

#[tokio::test]
async fn once_runs_reads_in_a_dry_run_and_plans_its_change_once() {
    let (report, planned) = plan_of(once_with_a_read::call(), "web1,web2").await;
    assert!(report.is_ok());
    let count = |what: &str| planned.iter().filter(|line| line.ends_with(what)).count();
    assert_eq!((count(": checkout 1"), count(": migrate"), count(": reload")), (2, 1, 2));
}

#[tokio::test]
async fn the_use_of_a_missing_once_value_ends_the_plan_of_each_host() {
    let (_, planned) = plan_of(once_with_a_change_and_ignored_error::call(), "web1,web2,web3").await;
    assert_eq!(planned, ["web1: migrate"]);
}

#[task]
async fn ignores_a_missing_mail() -> Result {
    let mail = once("mail", effect("mail", async { Ok::<_, TaskError>(1) })).await?;
    run("before").await?;
    drop(mail.value());
    drop(run("later").await);
    Ok(())
}

#[tokio::test]
async fn an_effect_is_planned_and_its_future_never_polled() -> Result {
    let (seen, sink) = capture();
    let client = dry_run_client(&Fake::new(), "").sink(sink).build();
    let polled = AtomicBool::new(false);
    let host = client.connect("web1")?;
    let mail = async {
        polled.store(true, Ordering::SeqCst);
        Ok::<_, TaskError>(())
    };
    let effected = host.enter(async { effect("mail to the team", mail).await }).await?;
    let made = line!() - 1;
    assert_eq!(planned(&seen), ["here: mail to the team"]);
    let error = expect_error(effected.value(), ErrorKind::NotRun);
    assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), line!() - 1)));
    assert!(
        error.to_string().contains(&format!("`mail to the team` ({}:{made}) was not executed", file!())),
        "{error}"
    );
    assert!(!polled.load(Ordering::SeqCst));

    let (_, planned) = plan_of(ignores_a_missing_mail::call(), "web1,web2").await;
    assert_eq!(planned, ["here: mail", "web1: before", "web2: before"]);
    Ok(())
}
