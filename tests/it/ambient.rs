//! The free functions of the prelude: their host inside a task, and their errors outside a task.

use std::panic::Location;

use fabrs::config::{Config, Inventory, parse_excluded_hosts, parse_host_args};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Error, TaskError};
use futures::future::pending;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{block, carry_out, refused, scripted, soon, words};

const FILE: &str = "[env.live]\nroles.web = ['web1', 'web2']\nroles.db = ['db1']\n";

/// Returns hosts that answer `name` with their name.
fn named() -> Fake {
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
    let host = scripted(fake, "").build().connect("web1").expect("this is a host");
    soon(host.enter(future)).await
}

/// Checks that the location of an error is `above` lines before the call of this function.
#[track_caller]
fn names_the_line(error: &Error, above: u32) {
    let here = Location::caller();
    let at = error.location().expect("it names a line");
    assert_eq!((at.file(), at.line()), (here.file(), here.line() - above));
}

#[tokio::test]
async fn commands_made_together_run_side_by_side_on_the_hosts_of_their_task() -> Result {
    let fake = named().on("hang", FakeAnswer::hang());
    on_web1(&fake, async {
        let (one, two) = tokio::try_join!(run("name").line(), local("name").line())?;
        assert_eq!((one.as_str(), two.as_str()), ("web1", "@local"));
        tokio::select! {
            output = run("hang") => panic!("it never ends: {output:?}"),
            line = probe("name").line() => assert_eq!(line?, "web1"),
        }
        // A command is bound to its host when it is made, so it can be awaited outside the task.
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
async fn a_spawned_future_has_no_host_and_its_error_says_where_and_what_to_write() -> Result {
    let fake = named();
    on_web1(&fake, async {
        let spawned = tokio::spawn(async { run("name").await });
        let error = refused(spawned.await?, ErrorKind::Usage);
        names_the_line(&error, 2);
        let text = block(&error);
        assert!(text.contains("no current host") && text.contains("c.enter(future)"), "{text}");

        let host = current();
        let line = tokio::spawn(async move { host.enter(async { run("name").line().await }).await });
        assert_eq!(line.await??, "web1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn outside_a_task_every_function_fails_with_its_line_and_none_panics() {
    let error = refused(run("name").await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(probe("name").await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(local("name").await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(cd("/tmp").env("A", "b").prefix("true").run("name").line().await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(env("A", "b").run("name").await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(prefix("true").run("name").spawn(), ErrorKind::Usage);
    names_the_line(&error, 1);
    for command in [sudo("name"), run("name").retry(2, secs(1)), run("name").retry_for(secs(9)), local("name").sudo()] {
        let error = refused(command.spawn(), ErrorKind::Usage);
        assert!(error.to_string().starts_with("no current host"), "{error}");
        names_the_line(&error, 3);
    }
    for command in [sudo("name"), run("name").retry(2, secs(1)), local("name").sudo()] {
        let error = refused(command.await, ErrorKind::Usage);
        assert!(error.to_string().starts_with("no current host"), "{error}");
    }
    let error = refused(sudo("name").stream_lines(), ErrorKind::Usage);
    names_the_line(&error, 1);
    let error = refused(on(role("web")), ErrorKind::Usage);
    names_the_line(&error, 1);
    assert_eq!(current().host(), None);
}

#[task(local)]
async fn orchestrates() -> Result {
    let error = refused(run("name").await, ErrorKind::Usage);
    names_the_line(&error, 1);
    let text = block(&error);
    assert!(text.contains("local(..)") && text.contains("on(role(..))"), "{text}");
    assert_eq!(local("name").line().await?, "@local");
    let inside = cd("/srv").enter(async { local("name").line().await }).await?;
    assert_eq!(inside, "@local", "a remote directory is not one of this machine");

    let names = on(role("web"))?.each(|_| async { run("name").line().await }).await.all_ok()?;
    assert_eq!(names.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["web1", "web2"]);
    assert_eq!(on(role("db"))?.run("name").await.all_ok()?.len(), 1);
    refused(run("name").await, ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn a_task_that_runs_here_has_this_machine_and_roles_but_no_host() -> Result {
    let report = carry_out(&in_environment(&named())?, [orchestrates::call()]).await;
    let [stage] = report.stages() else { panic!("one task was planned") };
    assert!(stage.is_local && report.is_ok(), "{:?}", stage.outcomes);
    assert_eq!(words(&stage.outcomes), ["@local: ok"]);
    Ok(())
}

#[tokio::test]
async fn within_each_the_closures_host_is_meant_and_afterwards_the_tasks_again() -> Result {
    let fake = named();
    let client = in_environment(&fake)?;
    let outer = client.connect("db1")?;
    soon(outer.enter(async {
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
async fn a_command_that_a_closure_only_makes_is_for_its_host_too() -> Result {
    let fake = named();
    let client = in_environment(&fake)?;
    let outer = client.connect("db1")?;
    soon(outer.enter(async {
        let lines = on(role("web"))?.each(|_| run("name").line()).await.all_ok()?;
        assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["web1", "web2"]);
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn tasks_that_take_turns_keep_their_hosts() -> Result {
    let client = scripted(&named(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    let (to_one, to_two) = (Notify::new(), Notify::new());
    let turns = |mine: &'static str, wait: bool| {
        let (to_one, to_two) = (&to_one, &to_two);
        async move {
            for _ in 0..3 {
                if wait {
                    to_two.notified().await;
                }
                assert_eq!(run("name").line().await.expect("it answers"), mine);
                if wait {
                    to_one.notify_one();
                } else {
                    to_two.notify_one();
                    to_one.notified().await;
                }
            }
        }
    };
    soon(async { tokio::join!(one.enter(turns("web1", false)), two.enter(turns("web2", true))) }).await;
    Ok(())
}

#[tokio::test]
async fn a_host_that_was_entered_is_left_when_the_future_is_dropped() -> Result {
    let client = scripted(&named(), "").build();
    let (one, two) = (client.connect("web1")?, client.connect("web2")?);
    soon(one.enter(async {
        tokio::select! {
            () = two.enter(async { run("name").await.map(drop).expect("it answers"); pending().await }) => {}
            line = run("name").line() => assert_eq!(line?, "web1"),
        }
        assert_eq!(run("name").line().await?, "web1");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_role_that_the_environment_does_not_have_is_an_error_with_its_line() -> Result {
    let client = in_environment(&named())?;
    client
        .connect("web1")?
        .enter(async {
            let error = refused(on(role("wbe")), ErrorKind::Usage);
            names_the_line(&error, 1);
            let text = block(&error);
            assert!(text.contains("has no role `wbe`") && text.contains("did you mean `web`?"), "{text}");
        })
        .await;
    Ok(())
}

#[tokio::test]
async fn directory_variables_and_prefixes_stay_with_the_value_that_has_them() -> Result {
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
async fn local_of_a_connection_with_settings_for_its_host_is_an_error_that_names_them() -> Result {
    let fake = named();
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
            let error = refused(command.await, ErrorKind::Usage);
            assert_eq!(error.to_string(), format!("`name` runs on this machine, without {methods} of the connection"));
            assert!(block(&error).contains("hint: write `local(..)`, and"), "{}", block(&error));
        }
        let error = refused(c.cd("src").local("name").spawn(), ErrorKind::Usage);
        names_the_line(&error, 1);
        assert_eq!(fake.commands(), [""; 0]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn local_has_a_directory_of_its_own_and_settings_that_are_not_for_it_do_no_harm() -> Result {
    let fake = named().on("@local: cd src && name", FakeAnswer::stdout("src\n"));
    Box::pin(on_web1(&fake, async {
        assert_eq!(local("name").cd("src").line().await?, "src");
        let c = current();
        for connection in [c.clone(), c.venv("/srv/env"), c.sudo_user("www")] {
            assert_eq!(connection.local("name").line().await?, "@local", "they are for `v_run` and `sudo`");
        }
        let changed = c.cd("/srv").env("A", "b");
        assert_eq!(changed.enter(async { local("name").line().await }).await?, "@local");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn typed_hosts_narrow_a_role_and_not_the_hosts_that_a_task_names() -> Result {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("live"))?.with_hosts(parse_host_args(&["web2,db1"])?);
    let excluded = parse_excluded_hosts(&["gone"], &|_| None)?;
    let client = Client::builder().dial(named()).inventory(inventory.with_excluded(excluded)).build();
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
            let error = refused(on(["gone"]), ErrorKind::NoHost);
            names_the_line(&error, 1);
            refused(on(["no host"]), ErrorKind::Usage);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_role_without_a_typed_host_is_an_error_with_its_line_that_names_both() -> Result {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("live"))?.with_hosts(parse_host_args(&["other"])?);
    let client = Client::builder().dial(named()).inventory(inventory).build();
    client
        .local()?
        .enter(async {
            let error = refused(on(role("web")), ErrorKind::NoHost);
            names_the_line(&error, 1);
            let text = "no host of `-H` (other) is in role `web` of environment `live` (web1, web2)";
            assert_eq!(error.to_string(), text);
        })
        .await;
    Ok(())
}
