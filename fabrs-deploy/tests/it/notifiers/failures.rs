//! Broken services: each causes a warning without a secret, and the deploy succeeds.

use std::net::TcpListener;
use std::sync::Arc;

use fabrs::prelude::*;
use fabrs_deploy::{
    DeployReport, GitHubDeployments, GitLabDeployments, GrafanaAnnotation, NewRelic, Notifier, NotifyFuture, Sentry,
    Site, Slack, Webhook,
};
use fabrs_testing::receivers::{HttpAnswer, http, http_answering};

use crate::fixture::{Fixture, SentReports, all};
use crate::notifiers::tls_server::{Authority, TlsServer};
use crate::notifiers::{service, staging_client, warnings};

/// The number of notifiers in [`notifiers`].
const SERVICES: usize = 6;

/// Adds a notifier for each service at an address. The names contain `case`.
fn notifiers(site: Site, case: &str, address: &str) -> Site {
    let (url, token) = (format!("http://{address}"), Secret::new("T0K3N-0123456789"));
    site.notify(GitHubDeployments::repository(format!("acme/{case}"), &token).url(&url))
        .notify(GitLabDeployments::project(format!("acme/{case}"), &token).url(&url))
        .notify(GrafanaAnnotation::at(&url, &token))
        .notify(NewRelic::entity(case, &token).url(format!("{url}/graphql")))
        .notify(Sentry::project("acme", case, &token).url(&url))
        .notify(Slack::webhook(&Secret::new(format!("{url}/services/T0K3N-0123456789"))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_service_causes_a_warning_without_its_token_and_the_deploy_succeeds() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let thief = http("200 OK");
    let elsewhere = format!("Location: http://{}/stolen\r\n", thief.addr());
    let redirect = http_answering(move |_| HttpAnswer {
        headers: elsewhere.clone(),
        ..HttpAnswer::new("307 Temporary Redirect", "{}")
    });
    let page = http_answering(|_| HttpAnswer::new("200 OK", "<html>Log in</html>"));
    let answering = [
        ("unauthorized", http("401 Unauthorized")),
        ("unknown", http("404 Not Found")),
        ("failing", http("500 Internal Server Error")),
        ("page", page),
        ("moved", redirect),
    ];
    let dead = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    // The kernel accepts connections to a socket that no program reads.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let mut addresses = vec![("dead", dead.to_string()), ("silent", silent.local_addr()?.to_string())];
    addresses.extend(answering.iter().map(|(case, server)| (*case, server.addr().to_string())));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = addresses.iter().fold(fixture.site(), |site, (case, address)| notifiers(site, case, address));
    site.deploy(all(&client)).await?;

    let warned = warnings(&capture);
    // Slack answers with plain text, so a page is not an error.
    assert_eq!(warned.len(), addresses.len() * SERVICES - 1, "{warned:#?}");
    let reasons = [
        ("dead", "refused"),
        ("silent", "timeout"),
        ("unauthorized", "the service answered 401 Unauthorized"),
        ("unknown", "the service answered 404 Not Found"),
        ("failing", "the service answered 500 Internal Server Error"),
        ("page", "the response is not JSON"),
        ("moved", "the service answered 307 Temporary Redirect: redirects are not followed"),
    ];
    for (case, reason) in reasons {
        for name in
            ["GitHub deployments of acme/", "GitLab deployments of acme/", "New Relic marker of ", "Sentry acme/"]
        {
            let start = format!("could not notify {name}{case}: ");
            let found: Vec<_> = warned.iter().filter(|warning| warning.starts_with(&start)).collect();
            assert_eq!(found.len(), 1, "{start} {warned:#?}");
            assert!(found[0].contains(reason), "{reason}: {found:?}");
        }
        let address = &addresses.iter().find(|(known, _)| *known == case).expect("the case has a server").1;
        for name in ["Grafana annotation at ", "Slack webhook at "] {
            let found =
                warned.iter().find(|warning| warning.starts_with(&format!("could not notify {name}{address}: ")));
            assert_eq!(
                found.is_some_and(|warning| warning.contains(reason)),
                (case, name) != ("page", "Slack webhook at "),
                "{case} {name}"
            );
        }
    }
    assert!(!warned.iter().any(|warning| warning.contains("T0K3N")), "{warned:#?}");
    assert!(thief.is_empty(), "a redirect must not carry a token to another server");
    client.close().await;
    Ok(())
}

/// A notifier that panics in one of its methods.
struct Panicking(&'static str);

impl Panicking {
    fn reach(&self, method: &str) {
        assert_ne!(self.0, method, "a defect of the notifier");
    }
}

impl Notifier for Panicking {
    fn name(&self) -> String {
        self.reach("name");
        self.0.to_owned()
    }

    fn secrets(&self) -> Vec<Secret> {
        self.reach("secrets");
        Vec::new()
    }

    fn notify(&self, _: Arc<DeployReport>) -> NotifyFuture {
        self.reach("notify");
        let panicking = Self(self.0);
        Box::pin(async move {
            panicking.reach("future");
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_notifier_is_a_warning_and_the_other_notifiers_report() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let sent = SentReports::default();
    let site = ["notify", "secrets", "future", "name"].map(Panicking).into_iter().fold(fixture.site(), Site::notify);
    site.notify(sent.clone()).deploy(all(&client)).await?;
    let expected = ["notify", "future"].map(|method| format!("could not notify {method}: the notifier panicked"));
    let warned = warnings(&capture);
    assert!(warned.len() == 2 && expected.iter().all(|text| warned.contains(text)), "{warned:#?}");
    assert_eq!(sent.0.lock().expect("no panic while the record was locked").len(), 1);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_has_the_error_message_of_the_service() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let servers = [
        service(&[("", "401 Unauthorized", include_str!("answers/github_unauthorized.json"))]),
        service(&[("", "400 Bad Request", include_str!("answers/gitlab_unknown_ref.json"))]),
        service(&[("", "401 Unauthorized", include_str!("answers/gitlab_unauthorized.json"))]),
        service(&[("", "401 Unauthorized", include_str!("answers/grafana_unauthorized.json"))]),
        service(&[("", "200 OK", include_str!("answers/new_relic_error.json"))]),
        service(&[("", "401 Unauthorized", include_str!("answers/sentry_unauthorized.json"))]),
        service(&[("", "404 Not Found", include_str!("answers/slack_no_service.txt"))]),
        // A token in an answer is masked.
        service(&[("", "400 Bad Request", "unknown token T0K3N-0123456789")]),
        service(&[("", "201 Created", "{}")]),
    ];
    let url = |server: usize| format!("http://{}", servers[server].addr());
    let token = Secret::new("T0K3N-0123456789");
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .notify(GitHubDeployments::repository("acme/shop", &token).url(url(0)))
        .notify(GitLabDeployments::project("acme/ref", &token).url(url(1)))
        .notify(GitLabDeployments::project("acme/token", &token).url(url(2)))
        .notify(GrafanaAnnotation::at(url(3), &token))
        .notify(NewRelic::entity("MXxBUE18", &token).url(url(4)))
        .notify(Sentry::project("acme", "shop", &token).url(url(5)))
        .notify(Slack::webhook(&Secret::new(url(6) + "/services/T0K3N-0123456789")))
        .notify(Webhook::post(url(7)).authorization(&token))
        .notify(GitHubDeployments::repository("acme/empty", &token).url(url(8)));
    site.deploy(all(&client)).await?;
    let warned = warnings(&capture);
    let expected = [
        "could not notify GitHub deployments of acme/shop: the service answered 401 Unauthorized: Bad credentials".to_owned(),
        "could not notify GitLab deployments of acme/ref: the service answered 400 Bad Request: {\"ref\":[\"The branch or tag does not exist\"]}".to_owned(),
        "could not notify GitLab deployments of acme/token: the service answered 401 Unauthorized: 401 Unauthorized".to_owned(),
        format!("could not notify Grafana annotation at {}: the service answered 401 Unauthorized: Invalid API key", servers[3].addr()),
        "could not notify New Relic marker of MXxBUE18: the service rejected the report: Not authorized to create deployments for the entity".to_owned(),
        "could not notify Sentry acme/shop: the service answered 401 Unauthorized: Invalid token".to_owned(),
        format!("could not notify Slack webhook at {}: the service answered 404 Not Found: no_service", servers[6].addr()),
        format!("could not notify webhook at {}: the service answered 400 Bad Request: unknown token [redacted]", servers[7].addr()),
        "could not notify GitHub deployments of acme/empty: the response has no `id`: check the URL of the service".to_owned(),
    ];
    for expected in &expected {
        assert!(warned.contains(expected), "{expected}: {warned:#?}");
    }
    assert_eq!(warned.len(), expected.len(), "{warned:#?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_private_authority_is_accepted_by_its_name_only() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let (authority, other) = (Authority::create("one"), Authority::create("other"));
    let mut server = TlsServer::https(&authority);
    let hook = |host: &str| Webhook::post(format!("https://{host}:{}/hooks/shop", server.port()));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .notify(hook("localhost").ca_certificate(authority.certificate()))
        .notify(hook("127.0.0.1").ca_certificate(authority.certificate()))
        .notify(hook("localhost").ca_certificate(other.certificate()))
        .notify(hook("localhost"))
        .notify(hook("localhost").ca_certificate("/nonexistent/ca.pem"));
    site.deploy(all(&client)).await?;
    assert_eq!(server.receive()["path"], "/hooks/shop");
    assert_eq!(server.stop(), [serde_json::Value::Null; 0], "no other notifier trusts the server");
    let warned = warnings(&capture);
    assert_eq!(warned.len(), 4, "{warned:#?}");
    for reason in
        ["not valid for name", "UnknownIssuer", "could not read the CA certificate `/nonexistent/ca.pem`: No such file"]
    {
        assert!(warned.iter().any(|warning| warning.contains(reason)), "{reason}: {warned:#?}");
    }
    client.close().await;
    Ok(())
}
