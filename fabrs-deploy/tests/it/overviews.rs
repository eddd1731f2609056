//! The status and the releases of a site as JSON documents and as values.

use std::fs;
use std::sync::Arc;

use fabrs::event::{CaptureSink, OutputQueue, PlainSink, Prefix, Sink, Style};
use fabrs::prelude::*;
use fabrs::{ErrorKind, Group};
use serde_json::{Value, json};

use crate::fixture::{Fixture, all};
use crate::untrusted_text::Printed;

/// Returns the last text printed on stdout as JSON.
fn last_document(capture: &CaptureSink) -> Value {
    let messages = capture.of_kind("message");
    let printed = messages.iter().rfind(|message| message["stream"] == "stdout");
    let text = printed.and_then(|message| message["text"].as_str()).expect("a document was printed");
    serde_json::from_str(text).expect("the text is one JSON document")
}

/// Returns the keys of an object in alphabetical order.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_as_json_has_the_facts_of_each_host_and_names_unreachable_hosts() -> Result {
    let Some(mut fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    let one = fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site.deploy(all(&client)).await?.release;
    let two = fixture.origin.build("deployable-2", &[("version", "two")]);
    let second = site.deploy(Group::of(&client, ["web1", "web3"])?).await?.release;
    let live = fixture.root(0).join("releases").join(second.as_str());
    fs::remove_file(live.join(".fabrs-works"))?;
    fs::write(live.join("BAD_RELEASE"), "the shop was closed")?;
    site.lock(Group::of(&client, ["web2"])?, "the database moves").await?;
    client.close().await;
    fixture.hosts[2].stop();

    let (client, capture) = fixture.client();
    let site = site.linked_files([".env"]);
    let error = site.status_json(all(&client)).await.expect_err("web3 is down");
    assert_eq!(error.kind(), ErrorKind::Connect);
    let status = last_document(&capture);
    assert_eq!(keys(&status), ["hosts", "migrations", "site"]);
    assert_eq!((&status["site"], &status["migrations"]), (&json!(fixture.site_folder()), &json!([])));
    let [web1, web2, web3] = [0, 1, 2].map(|host| &status["hosts"][host]);
    for host in [web1, web2, web3] {
        assert_eq!(
            keys(host),
            [
                "at",
                "bad",
                "by",
                "changed_files",
                "current_problem",
                "error",
                "held_releases",
                "host",
                "host_revert",
                "idle_release",
                "is_drained",
                "is_on_common_release",
                "is_reachable",
                "is_verified",
                "live",
                "live_side",
                "lock_holder",
                "manual_lock",
                "missing_files",
                "revision",
            ]
        );
    }
    assert_eq!(web1["revision"], json!({ "commit": two, "name": "deployable-2" }));
    assert_eq!((&web1["host"], &web1["live"]), (&json!("web1"), &json!(second)));
    assert_eq!((&web1["is_reachable"], &web1["is_verified"]), (&json!(true), &json!(false)));
    assert_eq!((&web1["bad"]["reason"], &web1["missing_files"]), (&json!("the shop was closed"), &json!([".env"])));
    assert_eq!((&web1["manual_lock"], &web1["error"]), (&Value::Null, &Value::Null));
    assert!(web1["by"]["user"].is_string() && web1["at"].is_string(), "{web1}");
    assert_eq!((&web2["live"], &web2["revision"]["commit"]), (&json!(first), &json!(one)));
    assert_eq!((&web2["is_verified"], &web2["bad"]), (&json!(true), &Value::Null));
    assert_eq!(web2["manual_lock"]["reason"], "the database moves");
    assert_eq!((&web3["host"], &web3["is_reachable"], &web3["live"]), (&json!("web3"), &json!(false), &Value::Null));
    assert!(web3["error"].as_str().is_some_and(|error| !error.is_empty()), "{web3}");

    let value = site.read_status(all(&client)).await?;
    assert_eq!(serde_json::to_value(&value)?, status, "the value has the facts of the document");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_releases_as_json_name_their_hosts_and_marks() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture.site();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = site.deploy(all(&client)).await?.release;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    let second = site.deploy(all(&client)).await?.release;
    site.rollback(Group::of(&client, ["web2", "web3"])?).await?;
    fs::remove_file(fixture.root(0).join("releases").join(first.as_str()).join(".fabrs-works"))?;
    fs::create_dir(fixture.root(1).join("releases/29991103140211"))?;
    fs::write(fixture.root(1).join("releases/29991103140211/.fabrs-unfinished"), "{}")?;

    site.releases_json(all(&client)).await?;
    let list = last_document(&capture);
    assert_eq!(keys(&list), ["hosts", "migrations", "releases", "site", "unreachable"]);
    assert_eq!((&list["hosts"], &list["unreachable"]), (&json!(["web1", "web2", "web3"]), &json!([])));
    let ids: Vec<&Value> = list["releases"].as_array().into_iter().flatten().map(|found| &found["release"]).collect();
    assert_eq!(ids, [&json!("29991103140211"), &json!(second), &json!(first)], "the latest first");
    let [unfinished, bad, good] = [0, 1, 2].map(|number| &list["releases"][number]);
    for release in [unfinished, bad, good] {
        assert_eq!(
            keys(release),
            [
                "at",
                "bad",
                "by",
                "held",
                "hosts",
                "is_unfinished",
                "live_on",
                "override_reason",
                "release",
                "revision",
                "stage_override_reason",
                "unconfirmed_on",
                "unverified_on"
            ]
        );
    }
    assert_eq!((&unfinished["is_unfinished"], &unfinished["hosts"]), (&json!(true), &json!(["web2"])));
    assert_eq!((&bad["live_on"], &bad["revision"]["name"]), (&json!(["web1"]), &json!("deployable-2")));
    assert!(bad["bad"]["reason"].is_string(), "{bad}");
    assert_eq!((&good["live_on"], &good["unverified_on"]), (&json!(["web2", "web3"]), &json!(["web1"])));
    assert_eq!((&good["bad"], &good["is_unfinished"]), (&Value::Null, &json!(false)));

    let value = site.read_releases(all(&client)).await?;
    assert_eq!(serde_json::to_value(&value)?, list, "the value has the facts of the document");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_as_json_names_a_running_deploy_without_the_token_of_its_lock() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let (other, capture) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let look = {
        let (site, hosts) = (fixture.site(), all(&other));
        move |_| {
            let (site, hosts) = (site.clone(), hosts.clone());
            async move { site.status_json(hosts).await }
        }
    };
    fixture.site().once(look).deploy(all(&client)).await?;
    let status = last_document(&capture);
    for host in 0..3 {
        let run = &status["hosts"][host]["lock_holder"];
        assert_eq!(keys(run), ["by", "phase", "purpose", "since"], "a token permits changes under the lock");
        assert_eq!(run["phase"], "once");
        assert!(run["purpose"].as_str().is_some_and(|text| text.starts_with("deploy of deployable-1 (")), "{run}");
    }
    client.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_a_work_tree_as_json_lists_files_with_local_changes() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site().in_place();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    fixture.write(1, "version", "by hand");
    let status = site.read_status(all(&client)).await?;
    let changed: Vec<&[String]> = status.hosts.iter().map(|host| &host.changed_files[..]).collect();
    assert_eq!(changed, [&[][..], &["version".to_owned()], &[]]);
    for host in &status.hosts {
        assert_eq!(host.revision.as_ref().map(|revision| &revision.commit), Some(&commit));
        assert_eq!((&host.by, &host.at), (&None, &None), "a work tree records neither the user nor the time");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdout_of_a_run_is_one_json_document_even_with_control_characters() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let release = fixture.site().deploy(all(&client)).await?.release;
    let mark = fixture.root(0).join("releases").join(release.as_str()).join("BAD_RELEASE");
    fs::write(mark, "erased\u{1b}[2K \"quoted\" \u{9b}2K")?;

    let (stdout, stderr) = (Printed::default(), Printed::default());
    let queue = OutputQueue::new(stdout.clone(), stderr, || {});
    let sink: Arc<dyn Sink> = Arc::new(PlainSink::new(Arc::new(queue), Prefix::Host, Style::Colour));
    let printing = Client::builder().settings(client.settings().clone()).sink(Arc::clone(&sink)).build();
    fixture.site().status_json(all(&printing)).await?;
    printing.close().await;
    sink.finish();
    let text = String::from_utf8(stdout.0.lock().expect("no thread has panicked").clone())?;
    let status: Value = serde_json::from_str(&text).expect("stdout is one JSON document");
    assert_eq!(status["hosts"][1]["live"], json!(release), "{text}");
    let reason = status["hosts"][0]["bad"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("erased") && reason.contains("\"quoted\""), "{reason}");
    assert!(!text.contains(['\u{1b}', '\u{9b}']), "a terminal would obey these characters: {text:?}");
    client.close().await;
    Ok(())
}
