//! Differences between the hosts of one site: scoped steps, roots, URLs of health checks, and sudo.

use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;
use fabrs::{Error, ErrorKind, Group};
use fabrs_deploy::{HealthCheck, Systemd};

use crate::fixture::{Fixture, all};

/// Returns for each host whether a file exists in the root of the site.
fn has(fixture: &Fixture, file: &str) -> [bool; 3] {
    [0, 1, 2].map(|host| fixture.root(host).join(file).exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scoped_steps_run_on_their_hosts_only() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture
        .site()
        .on(["web1", "web2"], |site| {
            site.build(|_| run("touch ../../built"))
                .on(["web2", "web3"], |site| site.restart(|_| run("touch ../../inner")))
        })
        .on(["web3"], |site| site.once(|_| run("touch ../../moved")).post_deploy(|_| run("touch ../../finished")))
        .restart(|_| run("touch ../../reloaded"))
        .once(|_| run("touch ../../once"))
        .once_on(["web2"]);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3], "every host has the release");
    for (file, expected) in [
        ("built", [true, true, false]),
        ("inner", [false, true, false]),
        ("moved", [false, false, true]),
        ("finished", [false, false, true]),
        ("reloaded", [true; 3]),
        ("once", [false, true, false]),
    ] {
        assert_eq!(has(&fixture, file), expected, "{file}");
    }
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_comes_from_the_environment_and_a_revert_runs_only_the_steps_of_each_host() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client_of(|settings| settings, |builder| builder.inventory(roles()));
    let site = fixture
        .site()
        .on(role("web"), |site| site.restart(|_| run("cp version ../../web")))
        .on(role("worker"), |site| {
            site.restart(|_| run("cp version ../../worker")).health(|_| run("! grep -q bad version"))
        });
    fixture.origin.build("deployable-1", &[("version", "good")]);
    site.deploy(all(&client)).await?;
    fixture.origin.build("deployable-2", &[("version", "bad")]);
    site.deploy(all(&client)).await.expect_err("the worker fails its health check");
    let reads =
        |file: &str| [0, 1, 2].map(|host| std::fs::read_to_string(fixture.root(host).join(file)).unwrap_or_default());
    assert_eq!(reads("web"), ["good", "good", ""]);
    assert_eq!(reads("worker"), ["", "", "good"]);
    site.once_on(role("worker"))
        .rollback(Group::of(&client, ["web1"])?)
        .await
        .expect_err("no host for the once-only steps");
    let wrong = fixture.site().on(role("wroker"), |site| site.restart(|_| run("true")));
    let error = wrong.deploy(all(&client)).await.expect_err("the role is unknown").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    client.close().await;
    Ok(())
}

/// Returns an environment with two roles.
fn roles() -> Inventory {
    let text = "[env.live]\nroles.web = ['web1', 'web2']\nroles.worker = ['web3']\n";
    let config = Config::parse(text, "fabrs.toml".as_ref()).expect("valid TOML");
    Inventory::new(&config, Some("live")).expect("the environment exists")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subset_without_a_deployed_host_is_skipped_with_a_warning() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client_of(|settings| settings, |builder| builder.inventory(roles()));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let site = fixture.site().on(role("worker"), |site| site.restart(|_| run("touch ../../worker")));
    site.deploy(Group::of(&client, ["web1", "web2"])?).await?;
    assert_eq!(has(&fixture, "worker"), [false; 3]);
    let warned = capture.of_kind("warning");
    let expected = "skipped the steps for role `worker`: none of its hosts is selected";
    assert_eq!(warned.iter().filter(|warning| warning["text"] == expected).count(), 1, "{warned:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_once_step_without_a_deployed_host_is_an_error_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let once = fixture.site().on(["web3"], |site| site.once(|_| run("touch ../../moved")));
    for site in [once, fixture.site().once_on(["web3"])] {
        let error = site.deploy(Group::of(&client, ["web1", "web2"])?).await.expect_err("web3 is missing").into_error();
        assert_eq!(error.kind(), ErrorKind::NoHost);
        assert!(error.to_string().contains("the once-only steps, which need web3"), "{error}");
        assert_eq!(has(&fixture, "releases"), [false; 3]);
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roots_and_health_check_urls_may_depend_on_the_host() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let folder = fixture.site_folder();
    let name = |host: &Connection| host.host().map(ToString::to_string).unwrap_or_default();
    let site = fixture.site().root_for_host(move |host| Ok(format!("{folder}/of-{}", name(host)))).health(
        HealthCheck::url_for_host(move |host| {
            Ok(format!("file:///etc/{}", if name(host) == "web3" { "web3" } else { "passwd" }))
        }),
    );
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let error = site.deploy(all(&client)).await.expect_err("the file is missing on web3").into_error();
    assert!(error.to_string().contains("file:///etc/web3"), "{error}");
    let place = format!("web2:{}/of-web2", fixture.root(1).display());
    assert!(
        capture.events().iter().any(|event| event.to_string().contains(&place)),
        "the pending changes name the folder"
    );

    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(Group::of(&client, ["web1", "web2"])?).await?;
    for (host, live) in [(0, true), (1, true), (2, false)] {
        let file = fixture.root(host).join(format!("of-web{}/current/version", host + 1));
        assert_eq!(std::fs::read_to_string(file).is_ok_and(|text| text == "two"), live, "web{}", host + 1);
    }
    let error = fixture.site().root_for_host(|_| Ok("shop".to_owned())).deploy(all(&client)).await;
    assert_eq!(error.expect_err("the root is relative").into_error().kind(), ErrorKind::Usage);
    let broken = fixture.site().health(HealthCheck::url_for_host(|_| Err(Error::new(ErrorKind::Usage, "no address"))));
    let error = broken.deploy(all(&client)).await.expect_err("the URL has no address").into_error();
    assert!(error.to_string().contains("no address"), "{error}");
    assert_eq!(fixture.names(0, "."), ["of-web1"], "nothing was changed");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sudo_refusal_stops_the_deploy_before_any_change() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    // Only the account of web3 may use sudo.
    for site in [fixture.site().validate_sudo(), fixture.site().with(Systemd::reload("shop"))] {
        let error = site.deploy(all(&client)).await.expect_err("web1 may not use sudo").into_error();
        assert_eq!(error.kind(), ErrorKind::Sudo, "{error}");
        let text = error.block().to_string();
        assert!(["web1", "web2"].iter().all(|host| text.contains(host)) && !text.contains("web3"), "{text}");
        assert_eq!(has(&fixture, "releases"), [false; 3], "nothing was changed");
    }
    let site = fixture.site().on(["web3"], |site| site.validate_sudo().restart(|_| sudo("true")));
    site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}
