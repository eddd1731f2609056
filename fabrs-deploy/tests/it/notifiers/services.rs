//! Requests to GitHub, GitLab, Slack, Grafana, Sentry and New Relic in their documented forms.

use fabrs::prelude::*;
use fabrs_deploy::{GitHubDeployments, GitLabDeployments, GrafanaAnnotation, NewRelic, Sentry, Site, Slack};
use fabrs_testing::receivers::{HttpRequest, RecordingServer};
use serde_json::{Value, json};

use crate::fixture::{Fixture, all};
use crate::notifiers::{service, staging_client, warnings};

/// The services, each with the answers of its manual.
struct Services {
    github: RecordingServer<HttpRequest>,
    gitlab: RecordingServer<HttpRequest>,
    slack: RecordingServer<HttpRequest>,
    grafana: RecordingServer<HttpRequest>,
    sentry: RecordingServer<HttpRequest>,
    relic: RecordingServer<HttpRequest>,
}

impl Services {
    fn start() -> Self {
        Self {
            github: service(&[
                ("/deployments", "201 Created", include_str!("answers/github_deployment.json")),
                ("/deployments/42/statuses", "201 Created", include_str!("answers/github_status.json")),
            ]),
            gitlab: service(&[("/deployments", "201 Created", include_str!("answers/gitlab_deployment.json"))]),
            slack: service(&[("/T0K3N", "200 OK", include_str!("answers/slack_ok.txt"))]),
            grafana: service(&[("/api/annotations", "200 OK", include_str!("answers/grafana_annotation.json"))]),
            sentry: service(&[
                ("/releases/", "201 Created", include_str!("answers/sentry_release.json")),
                ("/deploys/", "201 Created", include_str!("answers/sentry_deploy.json")),
            ]),
            relic: service(&[("/graphql", "200 OK", include_str!("answers/new_relic_marker.json"))]),
        }
    }

    /// Adds all notifiers to a site.
    fn on(&self, site: Site) -> Site {
        let url = |server: &RecordingServer<HttpRequest>| format!("http://{}", server.addr());
        let token = |text| Secret::new(text);
        site.name("shop")
            .notify(
                GitHubDeployments::repository("acme/shop", &token("github_pat_0123456789"))
                    .url(url(&self.github))
                    .environment_url("https://shop.example.com")
                    .log_url("https://ci.example.com/314"),
            )
            .notify(GitLabDeployments::project("acme/web/shop", &token("glpat-0123456789")).url(url(&self.gitlab)))
            .notify(Slack::webhook(&Secret::new(format!("{}/services/T0K3N", url(&self.slack)))))
            .notify(GrafanaAnnotation::at(url(&self.grafana), &token("glsa_0123456789")).tag("web"))
            .notify(Sentry::project("acme", "shop", &token("sntrys_0123456789")).url(url(&self.sentry)))
            .notify(NewRelic::entity("MXxBUE18", &token("NRAK-0123456789")).url(url(&self.relic) + "/graphql"))
    }
}

#[track_caller]
fn assert_headers(request: &HttpRequest, expected: &[(&str, &str)]) {
    assert_eq!(request.method, "POST");
    for (name, value) in expected.iter().chain(&[("content-type", "application/json")]) {
        let found = request.header(name).unwrap_or_default();
        assert!(found.starts_with(value), "{name}: {}", request.headers);
    }
    assert!(
        request.header("user-agent").is_some_and(|agent| agent.starts_with("fabrs-deploy/")),
        "{}",
        request.headers
    );
}

/// Checks the deployment and its status at GitHub.
#[track_caller]
fn assert_github(services: &Services, commit: &str, release: &str, subject: &str) {
    let deployment = services.github.receive();
    assert_eq!(deployment.path, "/repos/acme/shop/deployments");
    let github = [
        ("authorization", "Bearer github_pat_0123456789"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
    ];
    assert_headers(&deployment, &github);
    let mut body = deployment.body;
    let payload = body["payload"].take();
    assert_eq!(
        body,
        json!({
            "ref": commit, "task": "deploy", "auto_merge": false, "required_contexts": [], "environment": "staging",
            "production_environment": false, "transient_environment": false, "description": subject, "payload": null,
        })
    );
    assert_eq!((&payload["release"], &payload["application"]), (&json!(release), &json!("shop")));
    assert_eq!((&payload["revision"], &payload["hosts"]), (&json!("deployable-2"), &json!(["web1", "web2", "web3"])));
    assert!(payload["run"].is_string() && payload["by"].is_string(), "{payload}");
    let status = services.github.receive();
    assert_eq!(status.path, "/repos/acme/shop/deployments/42/statuses");
    assert_headers(&status, &github);
    assert_eq!(
        status.body,
        json!({
            "state": "success", "description": subject, "environment": "staging", "auto_inactive": true,
            "environment_url": "https://shop.example.com", "log_url": "https://ci.example.com/314",
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_commit_of_an_earlier_release_reaches_no_service() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = fixture.site().deploy(all(&client)).await?.release;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    fixture.site().deploy(all(&client)).await?;
    for host in 0..3 {
        let manifest = fixture.root(host).join(format!("releases/{first}/.fabrs-release.json"));
        let forged = std::fs::read_to_string(&manifest)?.replace(&commit, "../../../users/ann");
        std::fs::write(&manifest, forged)?;
    }
    let services = Services::start();
    services.on(fixture.site()).rollback(all(&client)).await?;
    let warned = warnings(&capture);
    for name in ["GitHub deployments of acme/shop", "GitLab deployments of acme/web/shop", "Sentry acme/shop"] {
        let text = format!("could not notify {name}: the release has no full commit id");
        assert!(warned.contains(&text), "{text}: {warned:#?}");
    }
    assert!(services.github.is_empty() && services.gitlab.is_empty() && services.sentry.is_empty());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_deploy_is_recorded_by_each_service_in_its_documented_form() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let services = Services::start();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    let commit = fixture.origin.build("deployable-2", &[("version", "two")]);
    let release = services.on(fixture.site()).deploy(all(&client)).await?.release.to_string();
    assert_eq!(warnings(&capture), [""; 0]);
    let subject = format!("[shop] staging: deployed deployable-2 ({}), release {release}", &commit[..10]);

    assert_github(&services, &commit, &release, &subject);

    let deployment = services.gitlab.receive();
    assert_eq!(deployment.path, "/api/v4/projects/acme%2Fweb%2Fshop/deployments");
    assert_headers(&deployment, &[("private-token", "glpat-0123456789")]);
    assert_eq!(
        deployment.body,
        json!({ "environment": "staging", "sha": commit, "ref": "deployable-2", "tag": true, "status": "success" })
    );

    let message = services.slack.receive();
    assert_eq!(message.path, "/services/T0K3N");
    assert_headers(&message, &[]);
    assert_eq!(
        (&message.body["text"], message.body["attachments"][0]["color"].as_str()),
        (&json!(subject), Some("#2eb67d"))
    );
    let details = message.body["attachments"][0]["text"].as_str().unwrap_or_default();
    for part in [format!("web3  on {release}"), format!("+ {} deployable-2 (Ann)", &commit[..10])] {
        assert!(details.contains(&part), "{part}: {details}");
    }

    let annotation = services.grafana.receive();
    assert_headers(&annotation, &[("authorization", "Bearer glsa_0123456789")]);
    assert_eq!(annotation.body["tags"], json!(["shop", "staging", "deploy", "live", "web"]));
    let time = |name: &str| annotation.body[name].as_u64().unwrap_or_default();
    assert!(1_700_000_000_000 < time("time") && time("time") < time("timeEnd"), "{}", annotation.body);
    assert!(annotation.body["text"].as_str().is_some_and(|text| text.starts_with(&subject)), "{}", annotation.body);

    let (created, deploy) = (services.sentry.receive(), services.sentry.receive());
    assert_headers(&created, &[("authorization", "Bearer sntrys_0123456789")]);
    assert_eq!(created.body["commits"].as_array().map(Vec::len), Some(1), "the commit of three hosts is sent once");
    assert_eq!(deploy.path, format!("/api/0/organizations/acme/releases/{commit}/deploys/"));
    assert_eq!(
        deploy.body,
        json!({
            "environment": "staging", "name": release, "projects": ["shop"],
            "dateStarted": deploy.body["dateStarted"], "dateFinished": created.body["dateReleased"],
        })
    );
    let marker = services.relic.receive();
    assert_headers(&marker, &[("api-key", "NRAK-0123456789")]);
    assert_eq!(marker.body["variables"]["deployment"]["commit"], commit);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_deploy_and_a_rollback_are_recorded_where_the_service_has_such_a_record() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let services = Services::start();
    let one = fixture.origin.build("deployable-1", &[("version", "one")]);
    fixture.site().deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "two")]);
    fixture.site().deploy(all(&client)).await?;
    let broken = fixture.origin.build("deployable-3", &[("version", "three")]);
    let site = services.on(fixture.site().health(|_| run("grep two version")));
    site.deploy(all(&client)).await.expect_err("the check fails");
    assert_eq!((services.github.receive().body["ref"].clone(), state(&services)), (json!(broken), json!("failure")));
    let deployment = services.gitlab.receive().body;
    assert_eq!((&deployment["sha"], &deployment["status"]), (&json!(broken), &json!("failed")));
    let message = services.slack.receive().body;
    assert!(message["text"].as_str().is_some_and(|text| text.contains("deploy of deployable-3")), "{message}");
    assert!(
        message["attachments"][0]["text"].as_str().is_some_and(|text| text.contains("grep two version")),
        "{message}"
    );
    assert_eq!(services.grafana.receive().body["tags"], json!(["shop", "staging", "deploy", "failed", "web"]));
    assert!(services.sentry.is_empty() && services.relic.is_empty(), "these services have no failed deploys");

    services.on(fixture.site()).rollback(all(&client)).await?;
    let deployment = services.github.receive().body;
    assert_eq!((&deployment["ref"], &deployment["task"]), (&json!(one), &json!("rollback")));
    assert_eq!(state(&services), "success");
    let deployment = services.gitlab.receive().body;
    assert_eq!((&deployment["sha"], &deployment["status"]), (&json!(one), &json!("success")));
    assert_eq!(services.slack.receive().body["attachments"][0]["color"], "#daa038");
    assert_eq!(services.grafana.receive().body["tags"], json!(["shop", "staging", "rollback", "live", "web"]));
    let (release, deploy) = (services.sentry.receive(), services.sentry.receive());
    assert_eq!(release.body, json!({ "version": one, "projects": ["shop"] }), "the commits and the date are kept");
    assert_eq!(deploy.path, format!("/api/0/organizations/acme/releases/{one}/deploys/"));
    let marker = services.relic.receive().body["variables"]["deployment"].clone();
    assert!(
        marker["description"].as_str().is_some_and(|text| text.contains("rolled back to deployable-1")),
        "{marker}"
    );
    assert_eq!(warnings(&capture), [""; 0]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_live_after_a_failed_last_step_is_a_success_for_services_with_a_live_commit() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let services = Services::start();
    let commit = fixture.origin.build("deployable-1", &[("version", "one")]);
    services.on(fixture.site()).deploy(all(&client)).hold().await?;
    assert!(services.github.is_empty() && services.gitlab.is_empty(), "the live commit is the same");
    assert!(services.sentry.is_empty() && services.relic.is_empty(), "the live commit is the same");
    assert_eq!(services.slack.receive().body["attachments"][0]["color"], "#36c5f0");
    assert_eq!(services.grafana.receive().body["tags"][3], "held");

    let site = services.on(fixture.site().post_deploy(|_| run("false")));
    site.promote(all(&client)).await.expect_err("the last step fails");
    assert_eq!((services.github.receive().body["ref"].clone(), state(&services)), (json!(commit), json!("success")));
    assert_eq!(services.gitlab.receive().body["status"], "success");
    assert_eq!(services.sentry.receive().body["version"], commit);
    assert_eq!(services.relic.receive().body["variables"]["deployment"]["commit"], commit);
    assert_eq!(services.slack.receive().body["attachments"][0]["color"], "#e01e5a");
    assert_eq!(warnings(&capture), [""; 0]);
    client.close().await;
    Ok(())
}

/// Returns the state of the next status of a GitHub deployment.
fn state(services: &Services) -> Value {
    services.github.receive().body["state"].clone()
}
