//! Hosts of one site that differ: steps for some of them, roots and health addresses of their own, and sudo.

use fabrs::prelude::*;
use fabrs::{ErrorKind, Group};
use fabrs_deploy::{Health, Systemd};

use crate::ground::{Ground, all};

/// Returns on which hosts a file of the site is.
fn has(ground: &Ground, file: &str) -> [bool; 3] {
    [0, 1, 2].map(|host| ground.root(host).join(file).exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_runs_on_the_hosts_that_it_is_for() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, told) = ground.client();
    let site = ground
        .site()
        .on(["web1", "web2"], |site| {
            site.build(|_| run("touch ../../built"))
                .on(["web2", "web3"], |site| site.reload(|_| run("touch ../../inner")))
        })
        .on(["web3"], |site| site.once(|_| run("touch ../../moved")).afterwards(|_| run("touch ../../finished")))
        .reload(|_| run("touch ../../reloaded"))
        .once(|_| run("touch ../../once"))
        .once_on(["web2"]);
    ground.origin.build("deployable-1", &[("version", "one")]);
    site.deploy(all(&client)).await?;
    assert_eq!(ground.live("version"), ["one"; 3], "every host has the release");
    for (file, expected) in [
        ("built", [true, true, false]),
        ("inner", [false, true, false]),
        ("moved", [false, false, true]),
        ("finished", [false, false, true]),
        ("reloaded", [true; 3]),
        ("once", [false, true, false]),
    ] {
        assert_eq!(has(&ground, file), expected, "{file}");
    }
    assert_eq!(told.of("warning"), Vec::<serde_json::Value>::new());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_site_without_a_deployed_host_is_a_warning_and_a_step_that_runs_once_is_an_error() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, told) = ground.client();
    let two = || Group::of(&client, ["web1", "web2"]).expect("the names are hosts");
    ground.origin.build("deployable-1", &[("version", "one")]);
    let once = ground.site().on(["web3"], |site| site.once(|_| run("touch ../../moved")));
    let all_once = ground.site().once_on(["web3"]);
    for site in [once, all_once] {
        let error = site.deploy(two()).await.expect_err("web3 is not deployed").into_error();
        assert_eq!(error.kind(), ErrorKind::NoHost);
        assert!(error.to_string().contains("they are for web3"), "{error}");
        assert_eq!(has(&ground, "releases"), [false; 3], "nothing was changed");
    }
    let role = ground.site().on(role("wroker"), |site| site.reload(|_| run("true")));
    let error = role.deploy(two()).await.expect_err("there is no such role").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(has(&ground, "releases"), [false; 3], "nothing was changed");

    ground.site().on(["web3"], |site| site.reload(|_| run("true"))).deploy(two()).await?;
    let warned = told.of("warning");
    let text = warned.iter().map(|warning| warning["text"].to_string()).find(|text| text.contains("steps are skipped"));
    assert!(text.is_some_and(|text| text.contains("for web3")), "{warned:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_may_have_roots_and_health_addresses_of_their_own() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, told) = ground.client();
    let folder = ground.site_folder();
    let name = |host: &Connection| host.host().map(ToString::to_string).unwrap_or_default();
    let site =
        ground.site().root_by_host(move |host| Ok(format!("{folder}/of-{}", name(host)))).verify(Health::get_by_host(
            move |host| Ok(format!("file:///etc/{}", if name(host) == "web3" { "web3" } else { "passwd" })),
        ));
    ground.origin.build("deployable-1", &[("version", "one")]);
    let error = site.deploy(all(&client)).await.expect_err("web3 has no such file").into_error();
    assert!(error.to_string().contains("file:///etc/web3"), "{error}");
    let place = format!("web2:{}/of-web2", ground.root(1).display());
    assert!(
        told.events().iter().any(|event| event.to_string().contains(&place)),
        "the pending changes name the folder"
    );

    ground.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(Group::of(&client, ["web1", "web2"])?).await?;
    for (host, live) in [(0, true), (1, true), (2, false)] {
        let file = ground.root(host).join(format!("of-web{}/current/version", host + 1));
        assert_eq!(std::fs::read_to_string(file).is_ok_and(|text| text == "two"), live, "web{}", host + 1);
    }
    let error = ground.site().root_by_host(|_| Ok("shop".to_owned())).deploy(all(&client)).await;
    assert_eq!(error.expect_err("it begins nowhere").into_error().kind(), ErrorKind::Usage);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_is_tried_on_the_hosts_that_use_it_before_anything_is_changed() -> Result {
    let Some(ground) = Ground::start() else { return Ok(()) };
    let (client, _) = ground.client();
    ground.origin.build("deployable-1", &[("version", "one")]);
    // Of the accounts of the three hosts, only that of web3 may use sudo.
    for site in [ground.site().uses_sudo(), ground.site().with(Systemd::reload("shop"))] {
        let error = site.deploy(all(&client)).await.expect_err("web1 may not use sudo").into_error();
        assert_eq!(error.kind(), ErrorKind::Sudo, "{error}");
        let text = error.block().to_string();
        assert!(["web1", "web2"].iter().all(|host| text.contains(host)) && !text.contains("web3"), "{text}");
        assert_eq!(has(&ground, "releases"), [false; 3], "nothing was changed");
    }
    let site = ground.site().on(["web3"], |site| site.uses_sudo().reload(|_| sudo("true")));
    site.deploy(all(&client)).await?;
    assert_eq!(ground.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}
