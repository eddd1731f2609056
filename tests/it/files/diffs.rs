//! Diffs: the change of an uploaded file is shown before the file is written.

use std::fs;

use fabrs::config::{DiffMode, Mode};
use fabrs::prelude::*;
use fabrs::{ClientBuilder, Connection};
use fabrs_testing::{Account, Capability, Sshd};
use serde_json::{Value, json};

use super::FileFixture;
use super::sftp::server_kinds;
use crate::support::{capture, event_texts, expect_error, settings, ssh_config};

/// Returns a dry-run client with diffs.
pub(super) fn dry_run_client(sshd: &Sshd) -> ClientBuilder {
    let settings = settings(&ssh_config(sshd, "")).mode(Mode::DryRun).diff(DiffMode::Readable);
    Client::builder().settings(settings)
}

/// Returns a client with diffs that makes the changes.
fn diff_client(sshd: &Sshd) -> ClientBuilder {
    Client::builder().settings(settings(&ssh_config(sshd, "")).diff(DiffMode::Readable))
}

fn diff_lines(difference: &Value) -> &str {
    difference["diff"]["lines"].as_str().unwrap_or_else(|| panic!("no lines: {difference}"))
}

#[tokio::test]
async fn a_dry_run_shows_the_diff_with_every_backend() -> Result {
    for (kind, server) in [("shell", Sshd::builder())].into_iter().chain(server_kinds()) {
        let fixture = FileFixture::of(server.start());
        let (seen, sink) = capture();
        let client = dry_run_client(&fixture.sshd).sink(sink).build();
        let host = client.connect(fixture.sshd.alias())?;
        let (new, old) = (fixture.file("shop.conf", "workers = 4\nport = 80\n"), fixture.remote("shop.conf"));
        fs::write(&old, "workers = 2\nport = 80\n")?;
        fs::write(fixture.remote("same"), "same\n")?;
        // The cases are the file itself, its directory with and without a slash, a new file, and an
        // unchanged file.
        let folder = fixture.remote("").display().to_string();
        host.put(&new, old.to_str().unwrap_or_default()).mode(0o604).await?;
        host.put(&new, &folder).await?;
        host.put(&new, folder.trim_end_matches('/')).await?;
        host.put(&new, format!("{folder}/new.conf")).await?;
        host.put(b"same\n", format!("{folder}/same")).await?;
        client.close().await;

        let differences = seen.of_kind("diff");
        let change = format!(
            "--- {old}\n+++ {old}\t{new}\n@@ -1,2 +1,2 @@\n-workers = 2\n+workers = 4\n port = 80\n",
            old = old.display(),
            new = new.display()
        );
        for difference in differences.get(..3).unwrap_or_default() {
            assert_eq!(diff_lines(difference).replace("//", "/"), change, "{kind}");
        }
        let added = format!(
            "--- /dev/null\n+++ {folder}/new.conf\t{}\n@@ -0,0 +1,2 @@\n+workers = 4\n+port = 80\n",
            new.display()
        );
        assert_eq!(diff_lines(&differences[3]).replace("//", "/"), added.replace("//", "/"), "{kind}");
        assert_eq!(differences[4]["diff"], json!("none"), "{kind}");
        assert_eq!(differences.len(), 5, "{kind}");
        assert_eq!(seen.of_kind("planned").len(), 4, "{kind}: the file that is the same is no change");
        assert_eq!(fs::read_to_string(&old)?, "workers = 2\nport = 80\n", "{kind}");
        assert!(!fixture.remote("new.conf").exists(), "{kind}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

/// Puts files on a host with diffs enabled. Returns the diffs.
async fn diffs_of(fixture: &FileFixture, put: impl AsyncFn(&Connection) -> Result<()>) -> Result<Vec<Value>> {
    let (seen, sink) = capture();
    let client = dry_run_client(&fixture.sshd).sink(sink).build();
    put(&client.connect(fixture.sshd.alias())?).await?;
    client.close().await;
    Ok(seen.of_kind("diff").iter().map(|event| event["diff"].clone()).collect())
}

#[tokio::test]
async fn binary_and_large_files_are_named_without_a_diff() -> Result {
    let fixture = FileFixture::new();
    let large = vec![b'x'; (1 << 20) + 1];
    fs::write(fixture.remote("large"), &large)?;
    fs::write(fixture.remote("binary"), b"\0\x01")?;
    let path = |name: &str| fixture.remote(name).display().to_string();
    let differences = diffs_of(&fixture, async |host| {
        host.put(b"small", path("large")).await?;
        host.put(large.clone(), path("new")).await?;
        host.put(b"text", path("binary")).await?;
        host.put(b"\0", path("new")).await?;
        Ok(())
    });
    assert_eq!(differences.await?, ["large", "large", "binary", "binary"]);
    Ok(())
}

#[tokio::test]
async fn a_secret_is_redacted_in_diffs() -> Result {
    let fixture = FileFixture::new();
    fs::write(fixture.remote("env"), "TOKEN=hunter2-hunter2\nA=1\n")?;
    let (seen, sink) = capture();
    let client = dry_run_client(&fixture.sshd).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let secret = Secret::new("hunter2-hunter2");
    let path = |name: &str| fixture.remote(name).display().to_string();
    host.put(&secret, path("key")).await?;
    host.put(b"TOKEN=hunter2-hunter2\nA=2\n", path("env")).await?;
    client.close().await;
    let differences = seen.of_kind("diff");
    assert_eq!(differences[0]["diff"], json!("secret"));
    assert!(diff_lines(&differences[1]).contains(" TOKEN=[redacted]\n-A=1\n+A=2\n"), "{}", differences[1]);
    let all = serde_json::to_string(&seen.events())?;
    assert!(!all.contains("hunter2"), "{all}");
    Ok(())
}

#[tokio::test]
async fn a_directory_is_compared_before_its_changes_are_planned() -> Result {
    let fixture = FileFixture::new();
    for name in ["a", "sub/b"] {
        fixture.file(&format!("conf/{name}"), format!("{name}\n"));
    }
    let (seen, sink) = capture();
    let client = dry_run_client(&fixture.sshd).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let conf = fixture.local.path().join("conf");
    host.put(&conf, fixture.remote("conf").display().to_string()).await?;
    assert_eq!(seen.of_kind("diff").len(), 2);
    assert_eq!(seen.of_kind("stale_read").len(), 0, "its own changes are planned later");
    host.put(&conf, fixture.remote("conf").display().to_string()).await?;
    assert_eq!(seen.of_kind("stale_read").len(), 1, "the differences, after a planned change");
    let planned = format!("put {} -> {}: 2 of 2 files", conf.display(), fixture.remote("conf").display());
    assert_eq!(event_texts(&seen, "planned", "operation"), [planned.clone(), planned], "a directory is one change");
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_diff_outside_a_dry_run_is_shown_and_applied() -> Result {
    let fixture = FileFixture::new();
    let (seen, sink) = capture();
    let client = diff_client(&fixture.sshd).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let path = fixture.remote("motd").display().to_string();
    assert!(host.put(b"hello\n", &path).await?.any()?);
    assert!(!host.put(b"hello\n", &path).await?.any()?);
    client.close().await;
    let differences = seen.of_kind("diff");
    assert!(diff_lines(&differences[0]).ends_with("@@ -0,0 +1 @@\n+hello\n"));
    assert_eq!(differences[1]["diff"], json!("none"));
    assert_eq!(fs::read_to_string(&path)?, "hello\n");
    Ok(())
}

#[tokio::test]
async fn an_unreadable_target_is_an_error_before_the_upload() -> Result {
    let fixture = FileFixture::new();
    fs::create_dir(fixture.remote("folder"))?;
    let client = diff_client(&fixture.sshd).build();
    let host = client.connect(fixture.sshd.alias())?;
    let path = fixture.remote("folder").display().to_string();
    let error = expect_error(host.put(b"x", &path).await, ErrorKind::File);
    assert!(error.to_string().contains(&path), "{error}");
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_private_file_is_shown_only_with_diff_all() -> Result {
    let fixture = FileFixture::new();
    let there = fixture.remote(".env");
    fixture.host.run(cmd!("umask 027; echo TOKEN=made by hand >{there}")).await?;
    for (diff, shown) in [(DiffMode::Readable, false), (DiffMode::All, true)] {
        let (seen, sink) = capture();
        let settings = settings(&ssh_config(&fixture.sshd, "")).mode(Mode::DryRun).diff(diff);
        let client = Client::builder().settings(settings).sink(sink).build();
        client.connect(fixture.sshd.alias())?.put(b"TOKEN=\n", there.display().to_string()).await?;
        client.close().await;
        let all = serde_json::to_string(&seen.events())?;
        assert_eq!(all.contains("made by hand"), shown, "{all}");
        assert_eq!(seen.of_kind("diff")[0]["diff"] == json!("private"), !shown, "{all}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unreadable_file_does_not_block_its_replacement() -> Result {
    use std::os::unix::fs::PermissionsExt;

    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    // In the plan the directory does not exist yet.
    let fixture = FileFixture::of(Sshd::builder().users([Account::Plain]).start());
    let (seen, sink) = capture();
    let client = dry_run_client(&fixture.sshd).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let folder = fixture.remote("to come").display().to_string();
    host.run(cmd!("mkdir {folder}")).await?;
    host.cd(&folder).put(b"x\n", "x").await?;
    client.close().await;
    assert_eq!(seen.of_kind("planned").len(), 2);
    assert!(seen.of_kind("diff")[0]["diff"]["unread"].is_string(), "{:?}", seen.of_kind("diff"));

    // The first file is unreadable but replaceable, in a writable directory. The second is not a
    // regular file.
    let open = fixture.open_folder();
    let there = open.join("of root");
    fs::write(&there, "old\n")?;
    fs::set_permissions(&there, fs::Permissions::from_mode(0o600))?;
    let client = diff_client(&fixture.sshd).build();
    client.connect(fixture.sshd.alias())?.put(b"new\n", there.display().to_string()).await?;
    assert_eq!(fs::read_to_string(&there)?, "new\n");
    let pipe = open.join("pipe").display().to_string();
    let host = client.connect(fixture.sshd.alias())?;
    host.run(cmd!("mkfifo {pipe}")).await?;
    host.put(b"new\n", &pipe).await?;
    expect_error(host.get("/dev/null", fixture.local.path().join("x").display().to_string()).await, ErrorKind::File);
    client.close().await;
    Ok(())
}
