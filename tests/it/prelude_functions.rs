//! The free functions of the prelude: their host inside a task, and their errors outside a task.

use std::panic::Location;

use fabrs::config::{Config, Inventory, parse_excluded_hosts, parse_host_args};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Error, TaskError};
use futures::future::pending;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{error_text, execute, expect_error, fake_client, outcome_lines, within_limit};

const FILE: &str = "[env.live]\nroles.web = ['web1', 'web2']\nroles.db = ['db1']\n";

/// Returns hosts with their name as the answer to `name`.
fn hosts_with_names() -> Fake {
    ["web1", "web2", "db1", "@local"]
        .iter()
        .fold(Fake::new(), |fake, host| fake.on(&format!("{host}: name"), FakeAnswer::stdout(format!("{host}\n"))))
}

/// Returns a client in an environment with roles.
fn in_environment(fake: &Fake) -> Result<Client> {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    Ok(Client::builder().dial(fake.clone()).inventory(Inventory::new(&config, Some("live"))?).build())
}

async fn on_web1<T>(fake: &Fake, future: impl Future<Output = T>) -> T {
    let host = fake_client(fake, "").build().connect("web1").expect("the host name is valid");
    within_limit(host.enter(future)).await
}

/// Asserts an error location `above` lines before the call of this function.
#[track_caller]
fn assert_location(error: &Error, above: u32) {
    let here = Location::caller();
    let at = error.location().expect("the error has a location");
    assert_eq!((at.file(), at.line()), (here.file(), here.line() - above));
}

#[tokio::test]
async fn concurrent_commands_run_on_the_host_of_their_task() -> Result {
    let fake = hosts_with_names().on("hang", FakeAnswer::hang());
    on_web1(&fake, async {
        let (one, two) = tokio::try_join!(run("name").line(), local("name").line())?;
        assert_eq!((one.as_str(), two.as_str()), ("web1", "@local"));
        tokio::select! {
            output = run("hang") => panic!("the command ended: {output:?}"),
            line = probe("name").line() => assert_eq!(line?, "web1"),
        }
        // A command is bound to a host at its creation, and can be awaited outside the task.
        let mut set = JoinSet::new();
        set.spawn(run("name"));
        let output = set.join_next().await.context("one was spawned")??;
        assert_eq!(output?.line()?, "web1");
        Ok(())
    })
    .await
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it is what a user may write, and what it leads to is tested")]
async fn a_spawned_future_has_no_host_and_its_error_has_a_location_and_a_hint() -> Result {
    let fake = hosts_with_names();
    on_web1(&fake, async {
        let spawned = tokio::spawn(async { run("name").await });
        let error = expect_error(spawned.await?, ErrorKind::Usage);
        assert_location(&error, 2);
        let text = error_text(&error);
        assert!(text.contains("no current host") && text.contains("c.enter(future)"), "{text}");

        let host = current();
        let line = tokio::spawn(async move { host.enter(async { run("name").line().await }).await });
        assert_eq!(line.await??, "web1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn prelude_functions_outside_a_task_fail_with_their_line() {
    let error = expect_error(run("name").await, ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(probe("name").await, ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(local("name").await, ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(cd("/tmp").env("A", "b").prefix("true").run("name").line().await, ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(env("A", "b").run("name").await, ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(prefix("true").run("name").spawn(), ErrorKind::Usage);
    assert_location(&error, 1);
    for command in [sudo("name"), run("name").retry(2, secs(1)), run("name").retry_for(secs(9)), local("name").sudo()] {
        let error = expect_error(command.spawn(), ErrorKind::Usage);
        assert!(error.to_string().starts_with("no current host"), "{error}");
        assert_location(&error, 3);
    }
    for command in [sudo("name"), run("name").retry(2, secs(1)), local("name").sudo()] {
        let error = expect_error(command.await, ErrorKind::Usage);
        assert!(error.to_string().starts_with("no current host"), "{error}");
    }
    let error = expect_error(sudo("name").stream_lines(), ErrorKind::Usage);
    assert_location(&error, 1);
    let error = expect_error(on(role("web")), ErrorKind::Usage);
    assert_location(&error, 1);
    assert_eq!(current().host(), None);
}

#[task(local)]
async fn orchestrates() -> Result {
    let error = expect_error(run("name").await, ErrorKind::Usage);
    assert_location(&error, 1);
    let text = error_text(&error);
    assert!(text.contains("local(..)") && text.contains("on(role(..))"), "{text}");
    assert_eq!(local("name").line().await?, "@local");
    let inside = cd("/srv").enter(async { local("name").line().await }).await?;
    assert_eq!(inside, "@local", "a remote directory does not apply to this machine");

    let names = on(role("web"))?.each(|_| async { run("name").line().await }).await.all_ok()?;
    assert_eq!(names.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["web1", "web2"]);
    assert_eq!(on(role("db"))?.run("name").await.all_ok()?.len(), 1);
    expect_error(run("name").await, ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn a_local_task_has_this_machine_and_roles_but_no_host() -> Result {
    let report = execute(&in_environment(&hosts_with_names())?, [orchestrates::call()]).await;
    let [stage] = report.stages() else { panic!("one task was planned") };
    assert!(stage.is_local && report.is_ok(), "{:?}", stage.outcomes);
    assert_eq!(outcome_lines(&stage.outcomes), ["@local: ok"]);
    Ok(())
}

#[tokio::test]
async fn each_sets_the_host_of_its_closure_and_restores_the_task_host() -> Result {
    let fake = hosts_with_names();
    let client = in_environment(&fake)?;
    let outer = client.connect("db1")?;
    within_limit(outer.enter(async {
        let group = on(role("web"))?;
        let nested = group.each(|_| async {
            let before = run("name").line().await?;
            let inner = on(role("db"))?.each(|_| async { run("name").line().await }).await.all_ok()?;
            Ok::<_, TaskError>((before, inner[0].1.clone(), run("name").line().await?))
        });
        let lines: Vec<_> = nested.await.all_ok()?.into_iter().map(|(_, lines)| lines).collect();
        let expected = ["web1", "web2"].map(|web| (web.to_owned(), "db1".to_owned(), web.to_owned()));
        assert_eq!(lines, expected);
        assert_eq!(run("name").line().await?, "db1");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_command_returned_by_a_closure_runs_on_the_closure_host() -> Result {
    let fake = hosts_with_names();
    let client = in_environment(&fake)?;
    let outer = client.connect("db1")?;
    within_limit(outer.enter(async {
        let lines = on(role("web"))?.each(|_| run("name").line()).await.all_ok()?;
        assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["web1", "web2"]);
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn interleaved_tasks_keep_their_hosts() -> Result {
    let client = fake_client(&hosts_with_names(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let (to_one, to_two) = (Notify::new(), Notify::new());
    let turns = |mine: &'static str, wait: bool| {
        let (to_one, to_two) = (&to_one, &to_two);
        async move {
            for _ in 0..3 {
                if wait {
                    to_two.notified().await;
                }
                assert_eq!(run("name").line().await.expect("the host answers"), mine);
                if wait {
                    to_one.notify_one();
                } else {
                    to_two.notify_one();
                    to_one.notified().await;
                }
            }
        }
    };
    within_limit(async { tokio::join!(one.enter(turns("web1", false)), two.enter(turns("web2", true))) }).await;
    Ok(())
}

#[tokio::test]
async fn a_dropped_enter_future_restores_the_previous_host() -> Result {
    let client = fake_client(&hosts_with_names(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    within_limit(one.enter(async {
        tokio::select! {
            () = two.enter(async { run("name").await.map(drop).expect("the host answers"); pending().await }) => {}
            line = run("name").line() => assert_eq!(line?, "web1"),
        }
        assert_eq!(run("name").line().await?, "web1");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn an_unknown_role_is_an_error_with_its_line() -> Result {
    let client = in_environment(&hosts_with_names())?;
    client
        .connect("web1")?
        .enter(async {
            let error = expect_error(on(role("wbe")), ErrorKind::Usage);
            assert_location(&error, 1);
            let text = error_text(&error);
            assert!(text.contains("has no role `wbe`") && text.contains("did you mean `web`?"), "{text}");
        })
        .await;
    Ok(())
}

#[tokio::test]
async fn directories_variables_and_prefixes_belong_to_one_connection_value() -> Result {
    let fake = Fake::new().on("pwd", FakeAnswer::stdout("home\n")).on("cd /srv && pwd", FakeAnswer::stdout("srv\n"));
    on_web1(&fake, async {
        let srv = cd("/srv");
        assert_eq!(srv.run("pwd").line().await?, "srv");
        assert_eq!(run("pwd").line().await?, "home");
        let inside = srv.enter(async { run("pwd").line().await }).await?;
        assert_eq!((inside.as_str(), run("pwd").line().await?.as_str()), ("srv", "home"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn local_of_a_connection_with_host_settings_is_an_error_naming_the_settings() -> Result {
    let fake = hosts_with_names();
    on_web1(&fake, async {
        let c = current();
        let cases = [
            (c.cd("src").local("name"), "`.cd(..)`"),
            (c.env("A", "b").local("name"), "`.env(..)`"),
            (c.umask(0o027).local("name"), "`.umask(..)`"),
            (c.path("~/bin").prefix("true").local("name"), "`.path(..)`, `.prefix(..)`"),
            (c.sudo_user("www").local("name").sudo(), "`.sudo_user(..)`"),
            (c.cd("/srv").local("name").retry(1, secs(1)), "`.cd(..)`"),
            (cd("src").local("name").cd("src"), "`.cd(..)`"),
        ];
        for (command, methods) in cases {
            let error = expect_error(command.await, ErrorKind::Usage);
            assert_eq!(
                error.to_string(),
                format!("`name` runs on this machine and would ignore {methods} of the connection")
            );
            assert!(error_text(&error).contains("hint: call the function `local(..)`, and"), "{}", error_text(&error));
        }
        let error = expect_error(c.cd("src").local("name").spawn(), ErrorKind::Usage);
        assert_location(&error, 1);
        assert_eq!(fake.commands(), [""; 0]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn local_has_its_own_directory_and_ignores_unrelated_host_settings() -> Result {
    let fake = hosts_with_names().on("@local: cd src && name", FakeAnswer::stdout("src\n"));
    Box::pin(on_web1(&fake, async {
        assert_eq!(local("name").cd("src").line().await?, "src");
        let c = current();
        for connection in [c.clone(), c.venv("/srv/env"), c.sudo_user("www")] {
            assert_eq!(connection.local("name").line().await?, "@local", "the settings apply to `v_run` and `sudo`");
        }
        let changed = c.cd("/srv").env("A", "b");
        assert_eq!(changed.enter(async { local("name").line().await }).await?, "@local");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn typed_hosts_narrow_a_role_but_not_explicit_hosts() -> Result {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("live"))?.with_hosts(parse_host_args(&["web2,db1"])?);
    let excluded = parse_excluded_hosts(&["gone"], &|_| None)?;
    let client = Client::builder().dial(hosts_with_names()).inventory(inventory.with_excluded(excluded)).build();
    let hosts =
        |group: Group| group.connections().iter().filter_map(|c| c.host().map(ToString::to_string)).collect::<Vec<_>>();
    client
        .local()?
        .enter(async {
            assert_eq!(hosts(on(role("web"))?), ["web2"]);
            assert_eq!(hosts(on(["web1", "gone", "web2", "web1"])?), ["web1", "web2"]);
            let list = vec!["web1".to_owned()];
            let names = ["web1".to_owned()];
            assert_eq!((hosts(on(&list[..])?), hosts(on(&names)?)), (list.clone(), names.to_vec()));
            assert_eq!(hosts(on(list)?), ["web1"]);
            let error = expect_error(on(["gone"]), ErrorKind::NoHost);
            assert_location(&error, 1);
            expect_error(on(["no host"]), ErrorKind::Usage);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_role_without_a_typed_host_is_an_error_naming_role_and_hosts() -> Result {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("live"))?.with_hosts(parse_host_args(&["other"])?);
    let client = Client::builder().dial(hosts_with_names()).inventory(inventory).build();
    client
        .local()?
        .enter(async {
            let error = expect_error(on(role("web")), ErrorKind::NoHost);
            assert_location(&error, 1);
            let text = "no host of `-H` (other) is in role `web` of environment `live` (web1, web2)";
            assert_eq!(error.to_string(), text);
        })
        .await;
    Ok(())
}
