//! Tasks called by other tasks: on the caller's host if they declare that host, and on all of their
//! hosts with `.all()`.

use fabrs::config::{Config, Inventory, Mode, OnUnreachable, Order, Settings, parse_host_args};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Error, ErrorKind, ExitCode, Report};

use super::lines;
use crate::support::{capture, error_text, execute, expect_error, outcome_lines, within_limit};

const FILE: &str =
    "[env.live]\nroles.web = ['web1', 'web2']\nroles.db = ['db1']\nroles.all = ['web1', 'web2', 'db1']\n";

/// Returns hosts with their name as the answer to `name`.
fn hosts_with_names() -> Fake {
    ["web1", "web2", "db1", "other", "ann@web1", "@local"]
        .iter()
        .fold(Fake::new(), |fake, host| fake.on(&format!("{host}: name"), FakeAnswer::stdout(format!("{host}\n"))))
}

/// Returns a client in an environment with roles. `typed` holds the hosts of `-H`.
fn client(fake: &Fake, typed: &[&str], settings: Settings) -> Result<(Client, std::sync::Arc<CaptureSink>)> {
    let (seen, sink) = capture();
    let inventory = Inventory::new(&Config::parse(FILE, "fabrs.toml".as_ref())?, Some("live"))?;
    let inventory = inventory.with_hosts(parse_host_args(typed)?);
    let builder = Client::builder().dial(fake.clone()).inventory(inventory).settings(settings);
    Ok((builder.sink(sink).build(), seen))
}

/// Runs a task with the hosts of `-H`. Returns the report and the commands.
async fn run_task(call: Call, typed: &[&str]) -> Result<(Report, Vec<String>)> {
    let fake = hosts_with_names();
    let (client, _) = client(&fake, typed, Settings::default())?;
    let report = execute(&client, [call]).await;
    Ok((report, fake.commands()))
}

/// Returns the error of the only host of the only task.
#[track_caller]
fn only_error(report: &Report) -> Error {
    let [stage] = report.stages() else { panic!("one task was planned") };
    let outcomes: Vec<_> = stage.outcomes.iter().collect();
    let [(_, outcome)] = outcomes.as_slice() else { panic!("{:?}", outcome_lines(&stage.outcomes)) };
    outcome.error().cloned().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[task(role = "web")]
async fn name_of_web() -> Result<String> {
    Ok(run("name").line().await?)
}

#[task(role = "db")]
async fn name_of_db() -> Result<String> {
    Ok(run("name").line().await?)
}

#[task(hosts("web1", "web9"))]
async fn name_of_web1() -> Result<String> {
    Ok(run("name").line().await?)
}

#[task]
async fn name_anywhere() -> Result<String> {
    Ok(run("name").line().await?)
}

#[task(local)]
async fn name_here() -> Result<String> {
    expect_error(run("name").await, ErrorKind::Usage);
    Ok(local("name").line().await?)
}

/// Calls a task with a role through a task without hosts.
#[task]
async fn web_through_another() -> Result<String> {
    name_of_web::call().await
}

#[task(role = "web")]
async fn calls_tasks_of_its_role(c: Connection) -> Result {
    let here = c.host().context("it has a host")?.to_string();
    assert_eq!(name_of_web::call().await?, here);
    assert_eq!(name_anywhere::call().await?, here);
    assert_eq!(web_through_another::call().await?, here);
    assert_eq!(name_here::call().await?, "@local");
    Ok(())
}

#[task(role = "web")]
async fn calls_the_db() -> Result {
    name_of_db::call().await?;
    Ok(())
}

#[task]
async fn calls_web() -> Result {
    name_of_web::call().await?;
    Ok(())
}

#[task]
async fn calls_web1() -> Result {
    name_of_web1::call().await?;
    Ok(())
}

#[task(local)]
async fn calls_web_from_here() -> Result {
    name_of_web::call().await?;
    Ok(())
}

#[tokio::test]
async fn a_called_task_runs_on_a_declared_host_of_its_caller() -> Result {
    let (report, commands) = run_task(calls_tasks_of_its_role::call(), &[]).await?;
    assert_eq!(lines(&report), ["calls_tasks_of_its_role: web1: ok, web2: ok"]);
    assert_eq!(commands.iter().filter(|line| *line == "web2: name").count(), 3);
    let (report, _) = run_task(calls_web::call(), &["web2"]).await?;
    assert_eq!(lines(&report), ["calls_web: web2: ok"]);
    let (report, _) = run_task(calls_web1::call(), &["web1"]).await?;
    assert_eq!(lines(&report), ["calls_web1: web1: ok"]);
    Ok(())
}

#[tokio::test]
async fn typed_hosts_of_the_caller_are_accepted_by_called_tasks() -> Result {
    let (report, commands) = run_task(calls_tasks_of_its_role::call(), &["other"]).await?;
    assert_eq!(lines(&report), ["calls_tasks_of_its_role: other: ok"]);
    assert_eq!(commands.iter().filter(|line| *line == "other: name").count(), 3);
    let (report, _) = run_task(calls_web::call(), &["ann@web1"]).await?;
    assert_eq!(lines(&report), ["calls_web: web1: ok"], "`-H` adds a user to a host of the role");
    Ok(())
}

#[tokio::test]
async fn a_call_of_a_task_for_other_hosts_is_an_error_with_a_hint() -> Result {
    let (report, commands) = run_task(calls_the_db::call(), &["web1"]).await?;
    assert_eq!((commands.as_slice(), report.exit_code()), (&[][..], ExitCode::Failed));
    let error = only_error(&report);
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error_text(&error);
    let hint = "hint: call the task in a `#[task(local)]`: `name_of_db::call(..).all().await?.all_ok()?`";
    assert!(
        text.starts_with("error: web1: task `name-of-db` runs on role `db`, not on the host of the calling task\n")
    );
    assert!(text.ends_with(hint) && text.contains("called_tasks.rs:"), "{text}");

    let (report, _) = run_task(calls_web::call(), &["db1"]).await?;
    expect_error(Err::<(), _>(only_error(&report)), ErrorKind::Usage);
    let (report, _) = run_task(calls_web1::call(), &["web2"]).await?;
    let text = only_error(&report).to_string();
    assert_eq!(text, "web2: task `name-of-web1` runs on web1, web9, not on the host of the calling task");
    let (report, _) = run_task(calls_web_from_here::call(), &[]).await?;
    let text = error_text(&only_error(&report));
    assert!(text.contains("name_of_web::call(..).all().await?.all_ok()?"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_called_task_in_a_group_closure_is_checked_for_the_closure_host() -> Result {
    let (client, _) = client(&hosts_with_names(), &[], Settings::default())?;
    within_limit(client.local()?.enter(async {
        let names = on(role("web"))?.each(|_| name_of_web::call()).await.all_ok()?;
        assert_eq!(names.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["web1", "web2"]);
        let outcomes = on(role("all"))?.each(|_| name_of_db::call()).await;
        assert_eq!(outcome_lines(&outcomes), ["web1: failed", "web2: failed", "db1: ok"]);
        Ok(())
    }))
    .await
}

#[task(role = "web", rolling = 1)]
async fn names_in_turn() -> Result<String> {
    tokio::task::yield_now().await;
    let before = run("name").line().await?;
    run("name").await?;
    Ok(before)
}

#[task(local)]
async fn all_of_web() -> Result {
    let outcomes = names_in_turn::call().all().await?;
    let names = outcomes.all_ok()?.into_iter().map(|(host, name)| format!("{host}/{name}"));
    let names: Vec<String> = names.collect();
    local(cmd!("said {names...}")).await?;
    Ok(())
}

#[tokio::test]
async fn all_runs_a_task_on_its_hosts_and_returns_the_values() -> Result {
    for (typed, printed) in
        [(&[][..], "web1/web1 web2/web2"), (&["web2,other"], "web2/web2"), (&["ann@web1"], "ann@web1/web1")]
    {
        let fake = hosts_with_names().on(&format!("@local: said {printed}"), FakeAnswer::code(0));
        let (client, _) = client(&fake, typed, Settings::default())?;
        let report = execute(&client, [all_of_web::call()]).await;
        assert_eq!(lines(&report), ["all_of_web: @local: ok"], "{:?}", fake.commands());
        let commands = fake.commands();
        if typed.is_empty() {
            let in_turn = ["web1: name", "web1: name", "web2: name", "web2: name"];
            assert_eq!(commands[..4], in_turn, "`rolling = 1` holds");
        }
    }
    Ok(())
}

#[task(role = "web", rolling = "50%")]
async fn names_by_half() -> Result {
    tokio::task::yield_now().await;
    run("name").await?;
    run("name").await?;
    Ok(())
}

#[task(local)]
async fn half_of_web() -> Result {
    names_by_half::call().all().await?.all_ok()?;
    Ok(())
}

#[tokio::test]
async fn all_limits_the_hosts_to_the_percentage_of_the_called_task() -> Result {
    let fake = hosts_with_names();
    let (client, _) = client(&fake, &[], Settings::default())?;
    let report = execute(&client, [half_of_web::call()]).await;
    assert_eq!(lines(&report), ["half_of_web: @local: ok"]);
    assert_eq!(fake.commands(), ["web1: name", "web1: name", "web2: name", "web2: name"]);
    Ok(())
}

#[tokio::test]
async fn all_without_a_host_of_the_command_line_is_an_empty_selection() -> Result {
    let (report, commands) = run_task(all_of_web::call(), &["other"]).await?;
    assert_eq!((commands.as_slice(), report.exit_code()), (&[][..], ExitCode::NoHost));
    let text = error_text(&only_error(&report));
    let expected = "error: no host of `-H` (other) is in role `web` of environment `live` (web1, web2)\n";
    assert!(text.starts_with(expected) && text.contains("called_tasks.rs:"), "{text}");
    Ok(())
}

#[tokio::test]
async fn all_obeys_the_limits_of_the_command_line() -> Result {
    let fake = hosts_with_names().unreachable("web1").on("@local: said web2/web2", FakeAnswer::code(0));
    let settings = Settings::default().on_unreachable(OnUnreachable::Skip).order(Order::Serial);
    let (client, seen) = client(&fake, &[], settings)?;
    let report = execute(&client, [all_of_web::call()]).await;
    assert_eq!(lines(&report), ["all_of_web: @local: ok"]);
    let warnings = seen.of_kind("warning");
    assert_eq!(warnings.iter().filter(|warning| warning["host"] == "web1").count(), 1, "{warnings:?}");
    Ok(())
}

#[tokio::test]
async fn all_is_refused_outside_local_tasks() -> Result {
    let assert_location = |error: &Error, line: u32| {
        assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), line)), "{error:?}");
    };
    let error = expect_error(name_of_web::call().all().await, ErrorKind::Usage);
    assert_location(&error, line!() - 1);
    let (client, _) = client(&hosts_with_names(), &[], Settings::default())?;
    let error = client.connect("web1")?.enter(async { name_of_web::call().all().await }).await;
    let text = error_text(&expect_error(error, ErrorKind::Usage));
    assert!(text.ends_with("hint: call the task in a `#[task(local)]`"), "{text}");
    let report = execute(&client, [all_of_a_local_task::call()]).await;
    let text = error_text(&only_error(&report));
    assert!(text.ends_with("hint: await the call: `name_here::call(..).await?`"), "{text}");
    Ok(())
}

#[task(local)]
async fn all_of_a_local_task() -> Result {
    name_here::call().all().await?.all_ok()?;
    Ok(())
}

#[task(local)]
async fn touches_all() -> Result {
    touches::call().all().await?.all_ok()?;
    Ok(())
}

#[task(role = "web")]
async fn touches() -> Result {
    run("touch x").await?;
    Ok(())
}

#[tokio::test]
async fn all_in_a_dry_run_plans_each_host_and_runs_nothing() -> Result {
    let fake = hosts_with_names();
    let (client, seen) = client(&fake, &[], Settings::default().mode(Mode::DryRun))?;
    let report = execute(&client, [touches_all::call()]).await;
    assert_eq!((fake.commands().len(), report.exit_code()), (0, ExitCode::Ok));
    assert_eq!(crate::support::event_texts(&seen, "planned", "operation"), ["touch x", "touch x"]);
    Ok(())
}
