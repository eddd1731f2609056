//! `rsync` over the existing connection.

use std::fs;
use std::process::Command;

use fabrs::prelude::*;
use fabrs_testing::{Account, Sshd};

use super::chance::entries;
use super::trees::lab_with;
use super::{Lab, text, walk};
use crate::support::{also_known, block, capture, client_of, refused, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_goes_and_comes_by_the_session_that_there_is() -> Result {
    let lab = Lab::new();
    for name in ["a", "in/b c", "in/x.pyc", "quo'te"] {
        lab.file(&format!("site/{name}"), name);
    }
    let (tree, target) = (lab.here.path().join("site"), lab.there("site"));
    let here = format!("{}/", tree.display());
    let rsync = || lab.host.rsync(here.clone(), target.display().to_string()).delete().exclude("*.pyc");
    lab.host.run("true").await?;
    let made = soon(rsync()).await?;
    assert_eq!(made.changed()?.len(), 4, "{made:?}");
    assert_eq!(lab.sshd.connections(), 1, "no second login");
    assert!(!soon(rsync()).await?.any()?);
    fs::remove_file(tree.join("a"))?;
    let removed = soon(rsync()).await?;
    assert_eq!(removed.removed()?, [target.join("a").to_str().expect("UTF-8")]);
    fs::remove_file(tree.join("in/x.pyc"))?;
    assert_eq!(entries(&target), entries(&tree));

    let back = lab.here.path().join("back");
    let there = format!("{}/", target.display());
    assert!(soon(lab.host.rsync(back.display().to_string(), there).download()).await?.any()?);
    assert_eq!(entries(&back), entries(&tree));
    let by_cwd = lab.host.cd(lab.sshd.scratch().display().to_string());
    assert!(!soon(by_cwd.rsync(here.clone(), "site")).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_program_takes_at_once_comes_whole() -> Result {
    let lab = Lab::new();
    let large: Vec<u8> = (0..=250u8).cycle().take(40 << 20).collect();
    fs::write(lab.there("large"), &large)?;
    let here = format!("{}/", lab.here.path().display());
    soon(lab.host.rsync(here, lab.there("large").display().to_string()).download()).await?;
    assert!(fs::read(lab.here.path().join("large"))? == large);
    fs::remove_file(lab.there("large"))?;
    let large = lab.here.path().join("large").display().to_string();
    soon(lab.host.rsync(large, lab.sshd.scratch().display().to_string())).await?;
    assert_eq!(fs::metadata(lab.there("large"))?.len(), 40 << 20);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_through_gateways_and_by_sudo() -> Result {
    let gateway = Sshd::start();
    let lab = Lab::of(Sshd::builder().authorize(gateway.identity_key()).start());
    let first = format!("Host host\n    ProxyJump bastion\n{}", also_known("bastion", &gateway));
    let gateway_key = format!("Host bastion\n    IdentityFile {}\n", gateway.identity().display());
    let host = client_of(&lab.sshd, &format!("{gateway_key}{first}")).build().connect("host")?;
    let file = lab.file("x", "x").display().to_string();
    soon(host.rsync(file.clone(), lab.there("x").display().to_string())).await?;
    assert_eq!(text(lab.there("x")), "x");
    host.client().expect("it has one").close().await;
    let Some(sudo) = crate::sudo::Lab::with_password(Account::Sudo) else { return Ok(()) };
    let there = tempfile::tempdir()?;
    let target = there.path().join("y");
    soon(sudo.host().rsync(file, target.display().to_string()).sudo()).await?;
    assert_eq!(text(target), "x");
    sudo.host().close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_on_either_side_is_told() -> Result {
    let lab = Lab::new();
    let file = lab.file("x", "x").display().to_string();
    let missing = soon(lab.host.rsync(file.clone(), lab.there("no/such/x").display().to_string())).await;
    assert!(block(&refused(missing, ErrorKind::File)).contains("No such file"));
    let nothing = soon(lab.host.rsync("/no/such", lab.there("x").display().to_string())).await;
    assert!(block(&refused(nothing, ErrorKind::File)).contains("No such file"));
    let option = soon(lab.host.rsync(file.clone(), "x").option("--nonsense")).await;
    assert!(block(&refused(option, ErrorKind::File)).contains("unknown option"));
    let bare = lab_with(&[], false);
    let error = refused(soon(bare.host.rsync(file.clone(), "x")).await, ErrorKind::File);
    assert!(block(&error).contains("the host has no `rsync`\nhint: `sync` needs none"), "{}", block(&error));
    let (seen, sink) = capture();
    let planned = super::differences::planning(&lab.sshd).sink(sink).build().connect(lab.sshd.alias())?;
    refused(soon(planned.rsync(file, lab.there("x").display().to_string()).delete()).await?.any(), ErrorKind::NotRun);
    let what = seen.of_kind("planned").first().map(|event| event["operation"].to_string()).unwrap_or_default();
    assert!(what.contains("rsync --delete "), "{what}");
    assert!(walk(&lab.sshd.scratch()).is_empty() && Command::new("rsync").arg("--version").output().is_ok());
    Ok(())
}
