//! Tasks as values: bound arguments, calls between tasks, plain functions, and the rules for a
//! registry.

use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ErrorKind, RawArgs, Registry};

use super::lines;
use crate::support::{execute, expect_error, fake_client, within_limit};

/// Counts the releases in a directory.
#[task]
async fn releases(
    /// The directory of the releases.
    directory: String,
) -> Result<usize> {
    Ok(run(cmd!("ls {directory}")).await?.lines()?.len())
}

#[task]
async fn counts(c: Connection) -> Result {
    assert_eq!(releases::call("/srv".to_owned()).await?, 2);
    assert_eq!(c.cd("/old").enter(async { releases::call("a".to_owned()).await }).await?, 1);
    Ok(())
}

#[task]
fn is_plain(c: Connection, times: u8) -> Result {
    for _ in 0..times {
        assert_eq!(run("name").wait_blocking()?.line()?, c.probe("name").wait_blocking()?.line()?);
    }
    ensure!(times > 0, "it must be done once at least");
    Ok(())
}

#[task]
fn is_plain_and_panics() {
    panic!("at {}", 7);
}

#[task]
fn is_plain_and_fails() -> Result {
    run("fails").wait_blocking()?;
    Ok(())
}

mod one {
    use fabrs::prelude::*;

    #[task(default)]
    pub(super) fn deploy() {}

    #[task(default, name = "other", alias = "ship-it")]
    pub(super) fn another() {}
}

mod two {
    use fabrs::prelude::*;

    #[task]
    pub(super) fn deploy() {}

    #[task]
    pub(super) fn ship_it() {}
}

fn hosts() -> Fake {
    Fake::new()
        .on("name", FakeAnswer::stdout("a name\n"))
        .on("ls /srv", FakeAnswer::stdout("1\n2\n"))
        .on("cd /old && ls a", FakeAnswer::stdout("1\n"))
        .on("fails", FakeAnswer::code(4))
}

#[tokio::test]
async fn a_called_task_returns_its_value_from_the_same_host() {
    let fake = hosts();
    let report = execute(&fake_client(&fake, "web1,web2").build(), [counts::call()]).await;
    assert_eq!(lines(&report), ["counts: web1: ok, web2: ok"]);
    assert_eq!(fake.commands().len(), 4);
}

#[tokio::test]
async fn a_call_is_a_value_with_a_description_and_runs_on_any_host() -> Result {
    let call = releases::call("/srv".to_owned());
    assert_eq!((call.task().name, call.task().summary()), ("releases", "Counts the releases in a directory."));
    assert_eq!(call.arguments(), [("directory", "\"/srv\"".to_owned())]);
    let host = fake_client(&hosts(), "").build().connect("web1")?;
    assert_eq!((call.on(&host).await?, call.clone().on(&host).await?), (2, 2));
    let erased = call.erased();
    assert_eq!(erased.arguments(), [("directory", "\"/srv\"".to_owned())]);
    erased.on(&host).await?;
    Ok(())
}

#[tokio::test]
async fn a_call_outside_a_task_fails_like_its_first_command() {
    let result = releases::call("/srv".to_owned()).await.map_err(TaskError::into_error);
    expect_error(result, ErrorKind::Usage);
}

#[tokio::test]
async fn typed_arguments_make_the_same_call() -> Result {
    let task = releases::task();
    let mut args = RawArgs::new(task);
    args.push(&task.params[0], "/srv");
    let host = fake_client(&hosts(), "").build().connect("web1")?;
    (task.bind)(&args)?.on(&host).await?;
    let error = expect_error((task.bind)(&RawArgs::new(task)), ErrorKind::Usage);
    assert!(error.to_string().contains("did not receive required positional arguments: 'directory'"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_plain_function_waits_for_commands_on_its_host() -> Result {
    let fake = hosts();
    let client = fake_client(&fake, "web1,web2").build();
    assert!(execute(&client, [is_plain::call(2)]).await.is_ok());
    assert_eq!(fake.commands().iter().filter(|line| line.starts_with("web1: ")).count(), 4);
    let error = is_plain::call(0).on(&client.connect("web1")?).await.map_err(TaskError::into_error);
    assert_eq!(expect_error(error, ErrorKind::Task).to_string(), "it must be done once at least");
    Ok(())
}

#[tokio::test]
async fn a_plain_function_fails_and_panics_like_an_async_task() -> Result {
    let client = fake_client(&hosts(), "web1").build();
    let report = execute(&client, [is_plain_and_panics::call()]).await;
    let error = report.stages()[0].outcomes.get(&"web1".parse()?).and_then(Outcome::error).cloned();
    assert_eq!(error.context("it panicked")?.to_string(), "web1: the task panicked: at 7");
    let error = is_plain_and_fails::call().on(&client.connect("web1")?).await.map_err(TaskError::into_error);
    expect_error(error, ErrorKind::Exit);
    Ok(())
}

#[test]
fn wait_outside_a_task_is_an_error() {
    expect_error(run("name").wait_blocking(), ErrorKind::Usage);
}

#[tokio::test]
async fn awaiting_a_call_twice_runs_it_twice() -> Result {
    let fake = hosts();
    let host = fake_client(&fake, "").build().connect("web1")?;
    let call = releases::call("/srv".to_owned());
    within_limit(host.enter(async { Ok::<_, TaskError>(call.clone().await? + call.await?) })).await?;
    assert_eq!(fake.commands().len(), 2);
    Ok(())
}

#[test]
fn two_tasks_with_one_name_are_refused_with_both_locations() {
    let registry = Registry::new().task(one::deploy::task()).task(two::deploy::task());
    let text = expect_error(registry.check([]), ErrorKind::Usage).to_string();
    let at = |task: &fabrs::Task| format!("{}:{}", task.file, task.line);
    assert!(text.starts_with("two tasks have the name `deploy`: "), "{text}");
    assert!(text.contains(&at(one::deploy::task())) && text.contains(&at(two::deploy::task())), "{text}");

    let alias = Registry::new().task(one::another::task()).task(two::ship_it::task());
    assert!(expect_error(alias.check([]), ErrorKind::Usage).to_string().contains("two tasks have the name"));
}

#[test]
fn two_default_tasks_are_refused() {
    let registry = Registry::new().task(one::deploy::task()).task(one::another::task());
    let text = expect_error(registry.check([]), ErrorKind::Usage).to_string();
    assert!(text.starts_with("two tasks are the default"), "{text}");
}

#[test]
fn a_task_named_like_an_environment_is_refused() {
    let registry = Registry::new().task(two::ship_it::task()).task(one::deploy::task());
    assert!(registry.check(["live", "staging"]).is_ok());
    for environment in ["deploy", "ship-it", "ship_it"] {
        let text = expect_error(registry.check(["live", environment]), ErrorKind::Usage).to_string();
        assert!(text.starts_with(&format!("`{environment}` is both an environment and a task (")), "{text}");
    }
}

#[test]
fn a_task_is_found_by_its_name_and_its_aliases() {
    let registry = Registry::new().task(one::another::task()).task(two::deploy::task());
    for name in ["other", "ship-it", "ship_it"] {
        assert_eq!(registry.find(name).map(|task| task.name), Some("other"));
    }
    assert!(registry.find("another").is_none());
    assert_eq!(registry.default_task().map(|task| task.name), Some("other"));
    let names: Vec<_> = registry.tasks().iter().map(|task| task.name).collect();
    assert_eq!(names, ["deploy", "other"]);
    assert!(Registry::linked().find("counts").is_some(), "tasks with `#[task]` are linked");
}
