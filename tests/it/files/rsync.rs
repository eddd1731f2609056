//! `rsync` over the existing connection.

use std::fs;
use std::process::Command;

use fabrs::prelude::*;
use fabrs_testing::{Account, Sshd};

use super::random_trees::entries;
use super::trees::fixture_with_programs;
use super::{FileFixture, text, walk};
use crate::support::{capture, client_of, error_text, expect_error, gateway_config, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsync_transfers_trees_in_both_directions_over_the_open_session() -> Result {
    let fixture = FileFixture::new();
    for name in ["a", "in/b c", "in/x.pyc", "quo'te"] {
        fixture.file(&format!("site/{name}"), name);
    }
    let (tree, target) = (fixture.local.path().join("site"), fixture.remote("site"));
    let here = format!("{}/", tree.display());
    let rsync = || fixture.host.rsync(here.clone(), target.display().to_string()).delete().exclude("*.pyc");
    fixture.host.run("true").await?;
    let made = within_limit(rsync()).await?;
    assert_eq!(made.changed()?.len(), 4, "{made:?}");
    assert_eq!(fixture.sshd.connections(), 1, "no second login");
    assert!(!within_limit(rsync()).await?.any()?);
    fs::remove_file(tree.join("a"))?;
    let removed = within_limit(rsync()).await?;
    assert_eq!(removed.removed()?, [target.join("a").to_str().expect("the path is valid UTF-8")]);
    fs::remove_file(tree.join("in/x.pyc"))?;
    assert_eq!(entries(&target), entries(&tree));

    let back = fixture.local.path().join("back");
    let there = format!("{}/", target.display());
    assert!(within_limit(fixture.host.rsync(back.display().to_string(), there).download()).await?.any()?);
    assert_eq!(entries(&back), entries(&tree));
    let by_cwd = fixture.host.cd(fixture.sshd.scratch().display().to_string());
    assert!(!within_limit(by_cwd.rsync(here.clone(), "site")).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsync_transfers_large_files_completely() -> Result {
    let fixture = FileFixture::new();
    let large: Vec<u8> = (0..=250u8).cycle().take(40 << 20).collect();
    fs::write(fixture.remote("large"), &large)?;
    let here = format!("{}/", fixture.local.path().display());
    within_limit(fixture.host.rsync(here, fixture.remote("large").display().to_string()).download()).await?;
    assert!(fs::read(fixture.local.path().join("large"))? == large);
    fs::remove_file(fixture.remote("large"))?;
    let large = fixture.local.path().join("large").display().to_string();
    within_limit(fixture.host.rsync(large, fixture.sshd.scratch().display().to_string())).await?;
    assert_eq!(fs::metadata(fixture.remote("large"))?.len(), 40 << 20);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsync_works_through_gateways_and_under_sudo() -> Result {
    let gateway = Sshd::start();
    let fixture = FileFixture::of(Sshd::builder().authorize(gateway.identity_key()).start());
    let first = format!("Host host\n    ProxyJump bastion\n{}", gateway_config("bastion", &gateway));
    let gateway_key = format!("Host bastion\n    IdentityFile {}\n", gateway.identity().display());
    let host = client_of(&fixture.sshd, &format!("{gateway_key}{first}")).build().connect("host")?;
    let file = fixture.file("x", "x").display().to_string();
    within_limit(host.rsync(file.clone(), fixture.remote("x").display().to_string())).await?;
    assert_eq!(text(fixture.remote("x")), "x");
    host.client().expect("the connection has a client").close().await;
    let Some(sudo) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let there = tempfile::tempdir()?;
    let target = there.path().join("y");
    within_limit(sudo.host().rsync(file, target.display().to_string()).sudo()).await?;
    assert_eq!(text(target), "x");
    sudo.host().close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsync_errors_of_both_sides_are_reported() -> Result {
    let fixture = FileFixture::new();
    let file = fixture.file("x", "x").display().to_string();
    let missing =
        within_limit(fixture.host.rsync(file.clone(), fixture.remote("no/such/x").display().to_string())).await;
    assert!(error_text(&expect_error(missing, ErrorKind::File)).contains("No such file"));
    let nothing = within_limit(fixture.host.rsync("/no/such", fixture.remote("x").display().to_string())).await;
    assert!(error_text(&expect_error(nothing, ErrorKind::File)).contains("No such file"));
    let option = within_limit(fixture.host.rsync(file.clone(), "x").option("--nonsense")).await;
    assert!(error_text(&expect_error(option, ErrorKind::File)).contains("unknown option"));
    let bare = fixture_with_programs(&[], false);
    let error = expect_error(within_limit(bare.host.rsync(file.clone(), "x")).await, ErrorKind::File);
    assert!(
        error_text(&error).contains("the host has no `rsync`\nhint: install `rsync`, or use `sync`"),
        "{}",
        error_text(&error)
    );
    let (seen, sink) = capture();
    let planned = super::diffs::dry_run_client(&fixture.sshd).sink(sink).build().connect(fixture.sshd.alias())?;
    expect_error(
        within_limit(planned.rsync(file, fixture.remote("x").display().to_string()).delete()).await?.any(),
        ErrorKind::NotRun,
    );
    let what = seen.of_kind("planned").first().map(|event| event["operation"].to_string()).unwrap_or_default();
    assert!(what.contains("rsync --delete "), "{what}");
    assert!(walk(&fixture.sshd.scratch()).is_empty() && Command::new("rsync").arg("--version").output().is_ok());
    Ok(())
}
