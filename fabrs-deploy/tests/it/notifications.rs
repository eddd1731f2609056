//! Notifiers: reports of successful deploys, failed deploys and rollbacks.

use fabrs::config::{Config, Inventory, Mode};
use fabrs::event::CaptureSink;
use fabrs::prelude::*;
use fabrs_deploy::{Graphite, Mail, NewRelic, Sentry, Site, Statsd, Webhook};
use fabrs_testing::receivers::{HttpAnswer, http, http_answering, receive_packet, smtp, tcp, udp};

use crate::fixture::{Fixture, all};

/// Returns a client in the environment `staging`.
fn client(fixture: &Fixture, mode: Mode) -> (Client, std::sync::Arc<CaptureSink>) {
    let config = Config::parse("[env.staging]", "fabrs.toml".as_ref()).expect("the configuration is valid");
    let inventory = Inventory::new(&config, Some("staging")).expect("the environment exists");
    fixture.client_of(|settings| settings.mode(mode), |builder| builder.inventory(inventory))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_and_a_webhook_report_the_state_of_each_host_and_the_commits() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = client(&fixture, Mode::Run);
    let (mails, hook) = (smtp(), http("200 OK"));
    let old = fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    let new = fixture.origin.build("deployable-2", &[("version", "two")]);
    let mail = Mail::from("Deploys <deploy@example.com>").to("dev@example.com");
    let site = fixture
        .site()
        .name("shop")
        .notify(mail.plaintext("127.0.0.1", mails.addr().port()))
        .notify(Webhook::post(format!("http://{}/hooks/T0K3N", hook.addr())));
    site.deploy(all(&client)).await?;

    let mail = mails.receive();
    for part in [
        "MAIL FROM:<deploy@example.com>",
        "RCPT TO:<dev@example.com>",
        "Subject: [shop] staging: deployed deployable-2 (",
        "web1  on ",
        "commits since deployable-1",
        " deployable-2 (Ann)",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let request = hook.receive();
    assert_eq!(request.path, "/hooks/T0K3N");
    assert_eq!((&request.body["action"], &request.body["outcome"]), (&"deploy".into(), &"live".into()));
    assert_eq!(request.body["revision"]["commit"], new);
    assert_eq!((&request.body["application"], &request.body["environment"]), (&"shop".into(), &"staging".into()));
    assert_eq!(request.body["hosts"].as_array().map(Vec::len), Some(3));
    assert_eq!(request.body["changes"][0]["since"]["commit"], old);
    assert!(request.body["text"].as_str().is_some_and(|text| text.contains("web3  on ")));
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statsd_and_graphite_receive_a_mark_of_a_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = client(&fixture, Mode::Run);
    let (events, carbon, stats) = (http("200 OK"), tcp(), udp());
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .notify(Statsd::at(stats.local_addr()?.to_string(), "shop"))
        .notify(Graphite::carbon(carbon.addr().to_string(), "shop"))
        .notify(Graphite::event(format!("http://{}/events/", events.addr()), ["shop"]));
    site.deploy(all(&client)).await?;

    assert_eq!(receive_packet(&stats), "shop.deploy.live:1|c");
    let time = receive_packet(&stats);
    assert!(time.starts_with("shop.deploy.time:") && time.ends_with("|ms"), "{time}");
    let point = carbon.receive();
    let mut words = point.split_whitespace();
    assert_eq!((words.next(), words.next()), (Some("shop.deploy.live"), Some("1")), "{point}");
    assert!(words.next().is_some_and(|time| time.parse::<u64>().is_ok()) && point.ends_with('\n'), "{point}");
    let event = events.receive();
    assert_eq!(event.body["tags"], serde_json::json!(["shop", "deploy", "live", "staging"]));
    assert!(event.body["what"].is_string() && event.body["data"].is_string() && event.body["when"].is_u64());
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentry_and_new_relic_receive_the_release_with_its_commits() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = client(&fixture, Mode::Run);
    let sentry = http("201 Created");
    let relic = http_answering(|_| HttpAnswer::new("200 OK", include_str!("notifiers/answers/new_relic_marker.json")));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    let new = fixture.origin.build("deployable-2", &[("version", "two")]);
    let (token, key) = (Secret::new("sntrys_0123456789"), Secret::new("NRAK-0123456789"));
    let site = fixture
        .site()
        .notify(Sentry::project("acme", "shop", &token).url(format!("http://{}", sentry.addr())))
        .notify(NewRelic::entity("MXxBUE18", &key).url(format!("http://{}/graphql", relic.addr())));
    let deployed = site.deploy(all(&client)).await?;

    let (release, deploy) = (sentry.receive(), sentry.receive());
    assert_eq!(release.path, "/api/0/organizations/acme/releases/");
    assert!(release.headers.to_lowercase().contains("authorization: bearer sntrys_0123456789"), "{}", release.headers);
    assert_eq!(release.body["version"], new);
    assert_eq!(release.body["projects"], serde_json::json!(["shop"]));
    assert_eq!(release.body["commits"][0]["id"], new);
    assert_eq!(deploy.path, format!("/api/0/organizations/acme/releases/{new}/deploys/"));
    assert_eq!(deploy.body["environment"], "staging");
    assert_eq!(deploy.body["name"], deployed.release.to_string());

    let marker = relic.receive();
    assert!(marker.headers.to_lowercase().contains("api-key: nrak-0123456789"), "{}", marker.headers);
    let query = marker.body["query"].as_str().unwrap_or_default();
    assert!(query.contains("changeTrackingCreateDeployment(deployment: $deployment)"), "{query}");
    let deployment = &marker.body["variables"]["deployment"];
    assert_eq!((&deployment["entityGuid"], &deployment["version"]), (&"MXxBUE18".into(), &"deployable-2".into()));
    assert!(deployment["timestamp"].as_u64().is_some_and(|milliseconds| milliseconds > 1_700_000_000_000));
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_deploy_is_reported_and_an_unreachable_notifier_causes_a_warning_only() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = client(&fixture, Mode::Run);
    let (hook, sentry, broken) = (http("200 OK"), http("200 OK"), http("500 Internal Server Error"));
    let dead = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let with_notifiers = |site: Site| {
        site.notify(Webhook::post(format!("http://{}/", hook.addr())))
            .notify(Webhook::post(format!("http://{}/broken-T0K3N", broken.addr())))
            .notify(Sentry::project("acme", "shop", &Secret::new("a token")).url(format!("http://{}", sentry.addr())))
            .notify(Mail::from("deploy@example.com").to("dev@example.com").plaintext("127.0.0.1", dead.port()))
            .notify(Graphite::carbon(dead.to_string(), "shop"))
    };
    fixture.origin.build("deployable-1", &[("version", "one")]);
    with_notifiers(fixture.site()).deploy(all(&client)).await?;
    assert_eq!(hook.receive().body["outcome"], "live");
    assert!(sentry.receive().path.ends_with("/releases/") && sentry.receive().path.ends_with("/deploys/"));
    let warned: Vec<String> = capture.of_kind("warning").iter().map(|warning| warning["text"].to_string()).collect();
    assert_eq!(warned.len(), 3, "{warned:?}");
    for part in ["could not notify mail to dev@example.com", "Graphite at 127.0.0.1:", "webhook at 127.0.0.1:", "500"] {
        assert!(warned.iter().any(|warning| warning.contains(part)), "{part}: {warned:?}");
    }
    assert!(!warned.iter().any(|warning| warning.contains("T0K3N")), "the path of a webhook is secret: {warned:?}");

    fixture.origin.build("deployable-2", &[("version", "two")]);
    let broken_site = fixture.site().health(|_| run("grep one version"));
    with_notifiers(broken_site).deploy(all(&client)).await.expect_err("the check fails");
    let report = hook.receive().body;
    assert_eq!((&report["action"], &report["outcome"]), (&"deploy".into(), &"failed".into()));
    assert!(report["error"].as_str().is_some_and(|error| error.contains("grep one version")), "{report}");
    assert!(report["hosts"][2]["state"].as_str().is_some_and(|state| state.starts_with("back on 2")), "{report}");
    assert!(sentry.is_empty(), "a failed deploy is not reported to Sentry");

    fixture.origin.build("deployable-3", &[("version", "three")]);
    with_notifiers(fixture.site()).deploy(all(&client)).await?;
    assert_eq!(hook.receive().body["outcome"], "live");
    with_notifiers(fixture.site()).rollback(all(&client)).await?;
    let report = hook.receive().body;
    assert_eq!((&report["action"], &report["outcome"]), (&"rollback".into(), &"live".into()));
    assert_eq!(report["changes"][0]["removed"].as_array().map(Vec::len), Some(2), "{report}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_notifications_and_sends_nothing() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = client(&fixture, Mode::DryRun);
    let (mails, hook, stats) = (smtp(), http("200 OK"), udp());
    stats.set_nonblocking(true)?;
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .notify(Mail::from("deploy@example.com").to("dev@example.com").plaintext("127.0.0.1", mails.addr().port()))
        .notify(Webhook::post(format!("http://{}/", hook.addr())))
        .notify(Statsd::at(stats.local_addr()?.to_string(), "shop"));
    site.deploy(all(&client)).await?;
    client.close().await;
    let planned: Vec<String> =
        capture.of_kind("planned").iter().map(|planned| planned["operation"].to_string()).collect();
    for part in ["mail to dev@example.com", "webhook at 127.0.0.1", "statsd at 127.0.0.1"] {
        assert!(planned.iter().any(|what| what.contains(part)), "{part}: {planned:?}");
    }
    assert!(mails.is_empty() && hook.is_empty());
    assert!(stats.recv(&mut [0; 16]).is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_contains_the_output_of_a_failed_step() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, mailbox) = (client(&fixture, Mode::Run).0, smtp());
    let mail = Mail::from("deploys@example.com").to("team@example.com").plaintext("localhost", mailbox.addr().port());
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture.site().notify(mail).build(|_| run("echo 'no module named waffel' >&2; exit 1").named("check"));
    site.deploy(all(&client)).await.expect_err("the build fails");
    let mail = mailbox.receive();
    assert_eq!(mail.matches("no module named waffel").count(), 1, "{mail}");
    assert!(mail.contains("output of web1:"), "{mail}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_shows_its_output_once_with_the_host() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    for hosts in [1, 3] {
        let site =
            fixture.site().build(|_| run("echo 'no module named waffel' >&2; exit 1").hide(Hide::Both).named("check"));
        let hosts = Group::new(all(&client).connections().iter().take(hosts).cloned().collect());
        let error = site.deploy(hosts).await.expect_err("the build fails").into_error();
        let block = error.block().to_string();
        assert_eq!(block.matches("no module named waffel").count(), 1, "{block}");
        assert!(block.contains("web1") && block.contains("`check` ended with exit status 1"), "{block}");
        assert!(!block.contains("fabrs-deploy/src") && !block.contains("exit 1;"), "{block}");
    }
    client.close().await;
    Ok(())
}
