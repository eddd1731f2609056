//! Hooks before and after the phases of a deploy: their order, their hosts and their failures.

use std::fs;

use fabrs::prelude::*;
use fabrs::{ErrorKind, Group};
use fabrs_deploy::{App, DeployPhase, DeployStep, Site};

use crate::fixture::{Fixture, all, is_on};

/// The phases in their order, with the names used in the record of a host.
const PHASES: [(DeployPhase, &str); 6] = [
    (DeployPhase::Build, "build"),
    (DeployPhase::Once, "once"),
    (DeployPhase::Switch, "switch"),
    (DeployPhase::Restart, "restart"),
    (DeployPhase::Health, "health"),
    (DeployPhase::Finish, "finish"),
];

/// Returns a step that appends a line to the record of its host: the name, and the version in the
/// directory of the step.
fn record(name: impl Into<String>) -> impl DeployStep {
    let name = name.into();
    move |app: App| {
        let (name, file) = (name.clone(), format!("{}/record", app.root()));
        run(cmd!("echo {name} $(cat version) >> {file}"))
    }
}

/// Returns the record of a host, without empty lines.
fn recorded(fixture: &Fixture, host: usize) -> Vec<String> {
    let text = fs::read_to_string(fixture.root(host).join("record")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Returns the site with recorded steps, and two recorded hooks before and one after each phase.
fn recording(site: Site) -> Site {
    let site = site
        .build(record("build"))
        .once(record("once"))
        .restart(record("restart"))
        .health(record("health"))
        .post_deploy(record("post_deploy"));
    PHASES.into_iter().fold(site, |site, (phase, name)| {
        site.before(phase, record(format!("before {name}")))
            .before(phase, record(format!("second before {name}")))
            .after(phase, record(format!("after {name}")))
    })
}

/// Returns each phase with its hooks, and the step of each phase in the middle.
fn lines(phases: &[(&str, &[&str])], version: &str) -> Vec<String> {
    let of_phase = |(phase, steps): &(&str, &[&str])| {
        let steps = steps.iter().map(ToString::to_string);
        let all = [format!("before {phase}"), format!("second before {phase}")].into_iter().chain(steps);
        all.chain([format!("after {phase}")]).collect::<Vec<_>>()
    };
    phases.iter().flat_map(of_phase).map(|line| format!("{line} {version}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_surround_the_steps_of_each_phase_in_order_of_addition() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one\n")]);
    recording(fixture.site()).deploy(all(&client)).await?;
    let first = [
        ("build", &["build"][..]),
        ("once", &["once"]),
        ("switch", &[]),
        ("restart", &["restart"]),
        ("health", &["health"]),
        ("finish", &["post_deploy"]),
    ];
    assert_eq!(recorded(&fixture, 0), lines(&first, "one"));
    let others = [
        ("build", &["build"][..]),
        ("switch", &[]),
        ("restart", &["restart"]),
        ("health", &["health"]),
        ("finish", &[]),
    ];
    for host in [1, 2] {
        assert_eq!(recorded(&fixture, host), lines(&others, "one"), "once-only hooks run on the first host");
    }

    fixture.origin.build("deployable-2", &[("version", "two\n")]);
    recording(fixture.site().window(2)).deploy(all(&client)).await?;
    let second: Vec<String> = recorded(&fixture, 1).into_iter().filter(|line| line.ends_with("two")).collect();
    assert_eq!(second, lines(&others, "two"), "a window runs the hooks of each host");

    (0..3).try_for_each(|host| fs::remove_file(fixture.root(host).join("record")))?;
    recording(fixture.site()).rollback(all(&client)).await?;
    let rollback = [("switch", &[][..]), ("restart", &["restart"]), ("health", &["health"])];
    for host in 0..3 {
        assert_eq!(recorded(&fixture, host), lines(&rollback, "one"), "a rollback has no other phase");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_hook_before_the_switch_on_one_host_changes_no_host() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one\n")]);
    let first = fixture.site().deploy(all(&client)).await?.release;
    fixture.origin.build("deployable-2", &[("version", "two\n")]);
    let logs =
        || [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("revisions.log")).unwrap_or_default());
    let before = logs();
    for phase in [DeployPhase::Build, DeployPhase::Once, DeployPhase::Switch] {
        let hook = |app: App| async move {
            ensure!(!is_on(&app, "web3"), "web3 is not ready");
            Ok::<(), TaskError>(())
        };
        // The once-only hook runs on web3.
        let site = fixture.site().restart(record("restart")).once_on(["web3"]).before(phase, hook);
        let error = site.deploy(all(&client)).await.expect_err("the hook fails on web3").into_error();
        assert!(error.block().to_string().contains("web3 is not ready"), "{phase:?}: {}", error.block());
        assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.to_string()), "{phase:?}");
        assert_eq!(logs(), before, "{phase:?}: no host was switched, not even for a moment");
        for host in 0..3 {
            assert_eq!(fixture.names(host, "releases"), [first.to_string()], "{phase:?}: the release is removed");
            assert_eq!(recorded(&fixture, host), [""; 0], "{phase:?}: no service was restarted");
        }
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_hook_after_the_switch_reverts_all_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one\n")]);
    let first = fixture.site().deploy(all(&client)).await?.release;
    fixture.origin.build("deployable-2", &[("version", "two\n")]);
    let failing = |app: App| async move {
        ensure!(!is_on(&app, "web2") || probe("cat version").line().await? == "one", "web2 rejects the release");
        Ok::<(), TaskError>(())
    };
    let site = || fixture.site().restart(record("restart"));
    for site in [
        site().after(DeployPhase::Switch, failing),
        site().before(DeployPhase::Restart, failing),
        site().after(DeployPhase::Restart, failing),
        site().before(DeployPhase::Health, failing),
        site().after(DeployPhase::Health, failing),
    ] {
        let deploy = site.deploy(all(&client)).revision("deployable-2".to_owned());
        let error = deploy.await.expect_err("the hook fails on web2").into_error();
        assert!(error.block().to_string().contains("web2 rejects the release"), "{}", error.block());
        assert_eq!(fixture.current(), [0, 1, 2].map(|_| first.to_string()));
        for host in 0..3 {
            assert_eq!(recorded(&fixture, host).last().map(String::as_str), Some("restart one"), "reverted");
        }
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_hook_of_the_last_phase_keeps_the_release_live() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    for (number, version) in [(1, "one"), (2, "two")] {
        fixture.origin.build(&format!("deployable-{number}"), &[("version", version)]);
        let site = match number {
            1 => fixture.site().before(DeployPhase::Finish, |_| run("false")),
            _ => fixture.site().after(DeployPhase::Finish, |_| run("false")),
        };
        let error = site.deploy(all(&client)).await.expect_err("the hook fails").into_error();
        assert!(error.block().to_string().contains("stays live, but a hook failed"), "{}", error.block());
        assert_eq!(fixture.live("version"), [version; 3]);
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_run_on_the_hosts_of_their_scope_only() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one\n")]);
    let site = fixture
        .site()
        .on(["web1", "web2"], |site| site.before(DeployPhase::Switch, record("switch")))
        .on(["web3"], |site| site.after(DeployPhase::Once, record("once")).after(DeployPhase::Finish, record("finish")))
        .before(DeployPhase::Once, record("first host"));
    site.deploy(all(&client)).await?;
    assert_eq!(recorded(&fixture, 0), ["first host one", "switch one"]);
    assert_eq!(recorded(&fixture, 1), ["switch one"]);
    assert_eq!(recorded(&fixture, 2), ["once one", "finish one"]);

    let error = site.deploy(Group::of(&client, ["web1"])?).await.expect_err("web3 is missing").into_error();
    assert_eq!(error.kind(), ErrorKind::NoHost, "a once-only hook needs its host before any change");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_of_a_work_tree_run_in_the_work_tree() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one\n")]);
    fixture.site().in_place().deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two\n")]);
    let site = fixture
        .site()
        .in_place()
        .before(DeployPhase::Switch, record("before switch"))
        .before(DeployPhase::Build, record("before build"))
        .after(DeployPhase::Switch, record("after switch"))
        .on(["web3"], |site| site.before(DeployPhase::Once, record("before once")))
        .rolling(1);
    site.deploy(all(&client)).await?;
    let expected = ["before switch one", "before build two", "after switch two"];
    assert_eq!(recorded(&fixture, 0), expected);
    assert_eq!(recorded(&fixture, 2), [&expected[..], &["before once two"]].concat());
    client.close().await;
    Ok(())
}
