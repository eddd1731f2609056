//! The numbered phases of deploys, rollbacks, holds and promotions.

use std::sync::Arc;

use fabrs::config::Mode;
use fabrs::event::{CaptureSink, OutputQueue, PlainSink, Prefix, Sink, Style};
use fabrs::prelude::*;
use fabrs::{Client, Hide};
use fabrs_deploy::{Canary, CommandGate, Git, Site};
use serde_json::Value;

use crate::fixture::{Fixture, all, is_on};

/// Returns the ends of all phases: `2/5 build web1 web2 web3 ok`.
fn phases(capture: &CaptureSink) -> Vec<String> {
    capture.of_kind("phase_ended").iter().map(text).collect()
}

fn text(phase: &Value) -> String {
    let hosts = phase["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let hosts = hosts.fold(String::new(), |text, host| text + host + " ");
    let word = |field: &str| phase[field].as_str().unwrap_or_default().to_owned();
    let number = phase["number"].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
    format!("{number}/{} {} {hosts}{}", phase["total"], word("name"), word("outcome"))
}

/// Returns a site with a once-only step and a gate.
fn site(fixture: &Fixture) -> Site {
    let gate = CommandGate::new("up", |_| probe("true"));
    fixture.site().once(|_| run("true")).restart(|_| run("true")).gate(gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_phase_of_a_deploy_and_a_rollback_has_a_number_a_time_and_its_hosts() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = site(&fixture);
    site.deploy(all(&client)).await?;
    let expected = [
        "1/6 lock web1 web2 web3 ok",
        "2/6 build web1 web2 web3 ok",
        "3/6 once web1 ok",
        "4/6 switch web1 web2 web3 ok",
        "5/6 gates web1 web2 web3 ok",
        "6/6 finish web1 web2 web3 ok",
    ];
    assert_eq!(phases(&capture), expected);
    let ended = capture.of_kind("phase_ended");
    assert!(ended.iter().all(|phase| phase["elapsed"].as_f64().is_some_and(|seconds| seconds > 0.0)), "{ended:?}");
    assert_eq!(ended[4]["detail"], "up: passed");
    let started = capture.of_kind("phase_started");
    assert!(started.len() == 6 && started.iter().all(|phase| phase["is_dry_run"] == false), "{started:?}");

    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    site.rollback(all(&client)).await?;
    let expected = ["1/3 lock web1 web2 web3 ok", "2/3 switch web1 web2 web3 ok", "3/3 finish web1 web2 web3 ok"];
    assert_eq!(phases(&capture)[12..], expected);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_total_includes_the_canary_each_batch_and_their_gates() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let canary = || Canary::hosts(1).gate(CommandGate::new("canary is up", |_| probe("true")));
    let names = async |site: Site| -> Result<Vec<String>> {
        let (client, capture) = fixture.client();
        site.deploy(all(&client)).await?;
        client.close().await;
        let ended = capture.of_kind("phase_ended");
        let last = ended.last().expect("a phase");
        assert_eq!((&last["number"], &last["name"]), (&last["total"], &Value::from("finish")), "{ended:?}");
        Ok(ended.iter().map(|phase| phase["name"].as_str().unwrap_or_default().to_owned()).collect())
    };
    let batches = names(fixture.site().rolling(1)).await?;
    assert_eq!(batches, ["lock", "build", "batch 1 of 3", "batch 2 of 3", "batch 3 of 3", "finish"]);
    let expected = ["lock", "build", "once", "canary", "gates", "gates", "switch", "gates", "finish"];
    assert_eq!(names(site(&fixture).strategy(canary())).await?, expected);
    assert_eq!(names(fixture.site().window(2)).await?, ["lock", "build", "switch", "finish"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phases_in_place_have_the_once_only_steps_before_the_first_restart() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().in_place().once(|_| run("true")).rolling(1).deploy(all(&client)).await?;
    let expected = [
        "1/8 lock web1 web2 web3 ok",
        "2/8 fetch web1 web2 web3 ok",
        "3/8 batch 1 of 3 web1 ok",
        "4/8 once web1 ok",
        "5/8 restart web1 ok",
        "6/8 batch 2 of 3 web2 ok",
        "7/8 batch 3 of 3 web3 ok",
        "8/8 finish web1 web2 web3 ok",
    ];
    assert_eq!(phases(&capture), expected);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_and_a_promotion_have_their_own_phases() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = site(&fixture);
    site.deploy(all(&client)).hold().await?;
    site.promote(all(&client)).await?;
    let expected = [
        "1/3 lock web1 web2 web3 ok",
        "2/3 build web1 web2 web3 ok",
        "3/3 hold web1 web2 web3 ok",
        "1/5 lock web1 web2 web3 ok",
        "2/5 once web1 ok",
        "3/5 switch web1 web2 web3 ok",
        "4/5 gates web1 web2 web3 ok",
        "5/5 finish web1 web2 web3 ok",
    ];
    assert_eq!(phases(&capture), expected);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_phase_ends_as_failed_and_the_revert_has_no_number() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let sick = fixture.site().health(|app| probe(if is_on(&app, "web2") { "false" } else { "true" }));
    sick.rolling(1).deploy(all(&client)).await.expect_err("web2 is not healthy");
    let expected = [
        "1/6 lock web1 web2 web3 ok",
        "2/6 build web1 web2 web3 ok",
        "3/6 batch 1 of 3 web1 ok",
        "4/6 batch 2 of 3 web2 failed",
        "-/6 revert web1 web2 failed",
    ];
    assert_eq!(phases(&capture)[4..], expected);
    client.close().await;
    Ok(())
}

/// Returns the text of a dry run, with or without shell lines.
async fn plan(fixture: &Fixture, site: &Site, shows_shell_lines: bool) -> Result<String> {
    let (mut reader, stderr) = std::io::pipe()?;
    let output = Arc::new(OutputQueue::new(std::io::sink(), stderr, || {}));
    let sink = PlainSink::new(Arc::clone(&output), Prefix::Host, Style::Plain).with_shell_lines(shows_shell_lines);
    let sink: Arc<dyn Sink> = Arc::new(sink);
    let on_sink = Arc::clone(&sink);
    let (client, _) = fixture.client_of(|settings| settings.mode(Mode::DryRun), |builder| builder);
    let client = Client::builder().settings(client.settings().clone()).sink(on_sink).build();
    site.deploy(all(&client)).await?;
    client.note_fingerprints();
    client.close().await;
    sink.finish();
    drop((client, sink, output));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text)?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_lists_equal_operations_of_the_hosts_once_and_its_fingerprint_last() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .build(|app| run(if is_on(&app, "web2") { "make slow" } else { "make" }))
        .restart(|_| sudo("systemctl reload shop"))
        .health(|_| probe("test -e version"));
    let text = plan(&fixture, &site, false).await?;
    let ids = |line: &str| {
        line.split(' ').map(|word| if word.starts_with("20") { "ID" } else { word }).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = text.lines().skip_while(|line| !line.starts_with(" 1/4")).map(ids).collect();
    let (plan, fingerprint) = lines.split_at(lines.len() - 1);
    let commit = plan.iter().find_map(|line| line.trim().strip_prefix("git fetch ")).expect("the fetch is planned");
    let expected = [
        " 1/4 lock            web1 web2 web3".to_owned(),
        "      lock `deploy` on 3 hosts".to_owned(),
        " 2/4 build           web1 web2 web3".to_owned(),
        "      create the directories of the site".to_owned(),
        format!("      git fetch {commit}"),
        format!("      find {commit}"),
    ];
    assert_eq!(plan[..6], expected, "{text}");
    let rest: Vec<&str> = plan[7..].iter().map(String::as_str).collect();
    let expected = [
        "      web1 web3: make",
        "      web2: make slow",
        "      finish release ID",
        " 3/4 switch          web1 web2 web3",
        "      switch current to ID (mv -T)",
        "      sudo systemctl reload shop",
        "      mark ID as working",
        " 4/4 finish          web1 web2 web3",
    ];
    assert_eq!(rest[..8], expected, "{text}");
    assert!(fingerprint[0].starts_with("`--yes="), "{text}");
    assert!(!text.contains("mkdir") && !text.contains("would run"), "{text}");
    assert!(self::plan(&fixture, &site, true).await?.contains("&& git init --quiet --bare "), "shell lines on request");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_no_push_without_a_remote_repository() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let tree = fixture.dir().join("alone");
    let make = format!(
        "git init --quiet {0} && cd {0} && git -c user.name=Ann -c user.email=a@b commit --quiet --allow-empty -m one && git tag deployable-1",
        tree.display()
    );
    Client::builder().build().local()?.run(ShellLine::raw(make)).hide(Hide::Both).await?;
    let site = fixture.site().source(Git::from_local(tree.to_string_lossy()).allow_dirty(true));
    let text = plan(&fixture, &site, false).await?;
    assert!(text.contains(": git tag deployed-") && !text.contains("git push"), "{text}");
    Ok(())
}
