//! Logins with SFTP only: detection, errors for logins without SFTP, and a single detection per
//! client.

use std::fs;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability, Sshd};

use super::super::{FileFixture, text, walk};
use super::{internal_sftp, server_kinds, sftp_server_path};
use crate::support::{capture, client_of, error_text, event_texts, expect_error, settings, ssh_config, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_shell_is_detected_once() -> Result {
    let sshd = internal_sftp().start();
    let (seen, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect("host")?;
    let target = sshd.scratch().join("x").display().to_string();
    host.put(b"one".to_vec(), target.clone()).await?;
    host.put(b"two!".to_vec(), target.clone()).await?;
    let put = |size: usize, by: &str| format!("put {size} bytes -> {target}{by}");
    let expected = [put(3, ""), put(3, " by SFTP"), put(4, " by SFTP")];
    assert_eq!(event_texts(&seen, "command_started", "command"), expected);
    host.close().await;
    host.client().expect("the connection has a client").close().await;
    assert_eq!(seen.of_kind("command_ended").len(), 3, "each command has an end event");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chroot_login_transfers_files_inside_its_root() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let root = super::super::random_trees::chroot_directory()?;
    let chroot =
        |builder: fabrs_testing::SshdBuilder| builder.option("ChrootDirectory", root.path().display().to_string());
    for (name, server) in [("forced", chroot(internal_sftp())), ("without any program", chroot(Sshd::builder()))] {
        let fixture = FileFixture::of(server.start());
        let file = fixture.file("x", name);
        fixture.host.put(&file, "/open/x").await?;
        assert_eq!(text(root.path().join("open/x")), name);
        assert!(!fixture.host.cd("/open").put(&file, "x").await?.any()?, "{name}");
        let here = fixture.local.path().join("y");
        fixture.host.get("/open/x", here.display().to_string()).await?;
        assert_eq!(text(here), name);
        fixture.host.client().expect("the connection has a client").close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_without_a_shell_is_an_error() -> Result {
    for (kind, server) in server_kinds() {
        let fixture = FileFixture::of(server.start());
        let target = fixture.remote("x").display().to_string();
        let here = fixture.local.path().join("x").display().to_string();
        // The first round is before the detection of the missing shell, the second after it.
        for _ in 0..2 {
            let put = expect_error(
                within_limit(fixture.host.put(b"x".to_vec(), target.clone()).sudo()).await,
                ErrorKind::File,
            );
            let why = "caused by: sudo needs a POSIX shell on the host";
            assert!(error_text(&put).contains(why), "{kind}: {put:?}");
            let get = expect_error(
                within_limit(fixture.host.get(target.clone(), here.clone()).sudo()).await,
                ErrorKind::File,
            );
            assert!(error_text(&get).contains(why), "{kind}: {get:?}");
            fixture.host.put(b"y".to_vec(), fixture.remote("y").display().to_string()).await?;
        }
        assert!(!fixture.remote("x").exists());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_without_shell_and_sftp_reports_the_message_of_its_shell() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    // The login's shell starts an external SFTP program.
    let program = Sshd::builder().users([Account::NoShell]).option("Subsystem", format!("sftp {}", sftp_server_path()));
    let none = Sshd::builder().users([Account::NoShell]).option("Subsystem", "sftp /bin/false");
    let forced = Sshd::builder().option("ForceCommand", "echo no; exit 3");
    let servers =
        [(program, "This account is currently not available."), (none, "This account is"), (forced, "caused by: no")];
    for (server, words) in servers {
        let fixture = FileFixture::of(server.start());
        let here = fixture.file("x", "old");
        let get = fixture.host.get(fixture.remote("x").display().to_string(), here.display().to_string());
        let get = expect_error(within_limit(get).await, ErrorKind::File);
        let put = expect_error(
            within_limit(fixture.host.put(&here, fixture.remote("y").display().to_string())).await,
            ErrorKind::File,
        );
        for error in [&get, &put] {
            let shown = error_text(error);
            assert!(shown.contains(words), "{shown}");
            assert!(shown.contains("hint: enable a POSIX shell or SFTP for this login on the host"), "{shown}");
        }
        assert_eq!(text(here), "old");
        assert_eq!(walk(&fixture.sshd.scratch()).len(), 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_without_a_shell_writes_no_file() -> Result {
    let sshd = internal_sftp().start();
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
    assert_eq!(event_texts(&seen, "planned", "operation"), [get, put]);
    assert!(!target.exists());

    fs::create_dir(here.path().join("sub"))?;
    fs::write(here.path().join("sub/z"), "z")?;
    let tree = host.put(here.path(), sshd.scratch().join("new/folder").display().to_string()).await?;
    assert_eq!(tree.changed()?, [sshd.scratch().join("new/folder/sub/z").display().to_string()]);
    assert!(!sshd.scratch().join("new").exists());
    Ok(())
}
