//! Logins with SFTP only: detection, errors for logins without SFTP, and a single detection per
//! client.

use std::fs;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability, Sshd};

use super::super::{Lab, text, walk};
use super::{files_only, kinds, sftp_server};
use crate::support::{block, capture, client_of, refused, settings, soon, ssh_config, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_no_shell_is_found_out_once() -> Result {
    let sshd = files_only().start();
    let (seen, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect("host")?;
    let target = sshd.scratch().join("x").display().to_string();
    host.put(b"one".to_vec(), target.clone()).await?;
    host.put(b"two!".to_vec(), target.clone()).await?;
    let put = |size: usize, by: &str| format!("put {size} bytes -> {target}{by}");
    let expected = [put(3, ""), put(3, " by SFTP"), put(4, " by SFTP")];
    assert_eq!(told(&seen, "command_started", "command"), expected);
    host.close().await;
    host.client().expect("it has one").close().await;
    assert_eq!(seen.of_kind("command_ended").len(), 3, "each is told as ended");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_sees_a_part_of_the_host_alone_has_its_files_there() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let root = super::super::chance::root_of_a_part()?;
    let chroot =
        |builder: fabrs_testing::SshdBuilder| builder.option("ChrootDirectory", root.path().display().to_string());
    for (name, server) in [("forced", chroot(files_only())), ("without any program", chroot(Sshd::builder()))] {
        let lab = Lab::of(server.start());
        let file = lab.file("x", name);
        lab.host.put(&file, "/open/x").await?;
        assert_eq!(text(root.path().join("open/x")), name);
        assert!(!lab.host.cd("/open").put(&file, "x").await?.any()?, "{name}");
        let here = lab.here.path().join("y");
        lab.host.get("/open/x", here.display().to_string()).await?;
        assert_eq!(text(here), name);
        lab.host.client().expect("it has one").close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_needs_a_shell_and_says_so() -> Result {
    for (kind, server) in kinds() {
        let lab = Lab::of(server.start());
        let target = lab.there("x").display().to_string();
        let here = lab.here.path().join("x").display().to_string();
        // The first round is before the detection of the missing shell, the second after it.
        for _ in 0..2 {
            let put = refused(soon(lab.host.put(b"x".to_vec(), target.clone()).sudo()).await, ErrorKind::File);
            let why = "caused by: sudo needs a POSIX shell on the host";
            assert!(block(&put).contains(why), "{kind}: {put:?}");
            let get = refused(soon(lab.host.get(target.clone(), here.clone()).sudo()).await, ErrorKind::File);
            assert!(block(&get).contains(why), "{kind}: {get:?}");
            lab.host.put(b"y".to_vec(), lab.there("y").display().to_string()).await?;
        }
        assert!(!lab.there("x").exists());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_has_neither_says_what_its_shell_said() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    // The login's shell starts an external SFTP program.
    let program = Sshd::builder().users([Account::NoShell]).option("Subsystem", format!("sftp {}", sftp_server()));
    let none = Sshd::builder().users([Account::NoShell]).option("Subsystem", "sftp /bin/false");
    let forced = Sshd::builder().option("ForceCommand", "echo no; exit 3");
    let servers =
        [(program, "This account is currently not available."), (none, "This account is"), (forced, "caused by: no")];
    for (server, words) in servers {
        let lab = Lab::of(server.start());
        let here = lab.file("x", "old");
        let get = lab.host.get(lab.there("x").display().to_string(), here.display().to_string());
        let get = refused(soon(get).await, ErrorKind::File);
        let put = refused(soon(lab.host.put(&here, lab.there("y").display().to_string())).await, ErrorKind::File);
        for error in [&get, &put] {
            let shown = block(error);
            assert!(shown.contains(words), "{shown}");
            assert!(shown.contains("hint: enable a POSIX shell or SFTP for this login on the host"), "{shown}");
        }
        assert_eq!(text(here), "old");
        assert_eq!(walk(&lab.sshd.scratch()).len(), 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_that_has_found_no_shell_still_only_plans() -> Result {
    let sshd = files_only().start();
    let (seen, sink) = capture();
    let settings = settings(&ssh_config(&sshd, "")).mode(Mode::DryRun);
    let host = Client::builder().settings(settings).sink(sink).build().connect("host")?;
    fs::write(sshd.scratch().join("x"), "x")?;
    let here = tempfile::tempdir()?;
    host.get(sshd.scratch().join("x").display().to_string(), here.path().join("x").display().to_string()).await?;
    assert!(!here.path().join("x").exists(), "a download is compared, and nothing is written");
    let target = sshd.scratch().join("y");
    let changes = host.put(b"y".to_vec(), target.display().to_string()).await?;
    assert!(changes.any()?, "the planned change");
    let put = format!("put 1 byte -> {}", target.display());
    let get = format!("get {0}/x <- {1}/x", here.path().display(), sshd.scratch().display());
    assert_eq!(told(&seen, "planned", "operation"), [get, put]);
    assert!(!target.exists());

    fs::create_dir(here.path().join("sub"))?;
    fs::write(here.path().join("sub/z"), "z")?;
    let tree = host.put(here.path(), sshd.scratch().join("new/folder").display().to_string()).await?;
    assert_eq!(tree.changed()?, [sshd.scratch().join("new/folder/sub/z").display().to_string()]);
    assert!(!sshd.scratch().join("new").exists());
    Ok(())
}
