//! Mails over TLS and with a login, through a real mail server.

use fabrs::prelude::*;
use fabrs_deploy::Mail;
use serde_json::{Value, json};

use crate::fixture::{Fixture, all};
use crate::notifiers::tls_server::{Authority, TlsServer};
use crate::notifiers::{staging_client, warnings};

fn mail() -> Mail {
    Mail::from("Deploys <deploy@example.com>").to("dev@example.com")
}

fn password() -> Secret {
    Secret::new("correct horse")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_is_sent_over_tls_after_a_login() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let authority = Authority::create("one");
    let (mut starttls, mut tls) = (TlsServer::mail(&authority, "starttls"), TlsServer::mail(&authority, "tls"));
    let with_login = |mail: Mail| mail.login("deploy", &password()).ca_certificate(authority.certificate());
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .name("shop")
        .notify(with_login(mail().starttls("localhost", starttls.port())))
        .notify(with_login(mail().tls("localhost", tls.port())));
    site.deploy(all(&client)).await?;
    for server in [&mut starttls, &mut tls] {
        assert_eq!(server.receive(), json!({ "login_as": "deploy", "good": true, "tls": true }));
        let received = server.receive();
        assert_eq!(
            (&received["sender"], &received["recipients"]),
            (&json!("deploy@example.com"), &json!(["dev@example.com"]))
        );
        assert_eq!((&received["tls"], &received["login"]), (&json!(true), &json!(true)));
        let text = received["mail"].as_str().unwrap_or_default();
        assert!(text.contains("Subject: [shop] staging: deployed deployable-1 ("), "{text}");
    }
    assert_eq!(warnings(&capture), [""; 0]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_name_or_authority_receives_neither_the_login_nor_the_mail() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let (authority, other) = (Authority::create("one"), Authority::create("other"));
    let (starttls, tls) = (TlsServer::mail(&authority, "starttls"), TlsServer::mail(&authority, "tls"));
    let refused = |mail: Mail| mail.login("deploy", &password());
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture
        .site()
        .notify(refused(mail().starttls("127.0.0.1", starttls.port())).ca_certificate(authority.certificate()))
        .notify(refused(mail().tls("127.0.0.1", tls.port())).ca_certificate(authority.certificate()))
        .notify(refused(mail().starttls("localhost", starttls.port())).ca_certificate(other.certificate()))
        .notify(refused(mail().tls("localhost", tls.port())))
        .notify(refused(mail().tls("localhost", tls.port())).ca_certificate("/nonexistent/ca.pem"));
    site.deploy(all(&client)).await?;
    let warned = warnings(&capture);
    assert_eq!(warned.len(), 5, "{warned:#?}");
    for (reason, count) in [("not valid for name", 2), ("UnknownIssuer", 2), ("could not read the CA certificate", 1)] {
        assert_eq!(warned.iter().filter(|warning| warning.contains(reason)).count(), count, "{reason}: {warned:#?}");
    }
    for server in [starttls, tls] {
        assert_eq!(server.stop(), [Value::Null; 0]);
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_a_warning_without_the_password() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let authority = Authority::create("one");
    let mut server = TlsServer::mail(&authority, "starttls");
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let login = mail().login("deploy", &Secret::new("battery staple")).ca_certificate(authority.certificate());
    fixture.site().notify(login.starttls("localhost", server.port())).deploy(all(&client)).await?;
    assert_eq!(server.receive(), json!({ "login_as": "deploy", "good": false, "tls": true }));
    let warned = warnings(&capture);
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].starts_with("could not notify mail to dev@example.com: permanent error (535): "), "{warned:?}");
    assert!(!warned[0].contains("battery"), "{warned:?}");
    assert!(server.stop().iter().all(|fact| fact["good"] == false), "no mail was sent");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_starttls_receives_neither_the_login_nor_the_mail() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = staging_client(&fixture);
    let authority = Authority::create("one");
    let server = TlsServer::mail(&authority, "plain");
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let starttls = mail().login("deploy", &password()).ca_certificate(authority.certificate());
    fixture.site().notify(starttls.starttls("localhost", server.port())).deploy(all(&client)).await?;
    let warned = warnings(&capture);
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("STARTTLS"), "{warned:?}");
    assert_eq!(server.stop(), [Value::Null; 0]);
    client.close().await;
    Ok(())
}
