//! Downloads by SFTP: the targets of files, and unchanged local files after a failure.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::super::{FileFixture, mode, text, walk};
use super::{external_sftp, fixture, server_kinds};
use crate::support::{error_text, expect_error, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_downloaded_with_its_mode_and_only_once() -> Result {
    for (kind, server) in server_kinds() {
        let fixture = FileFixture::of(server.start());
        let (there, here) = (fixture.remote("50% x"), fixture.local.path().join("deep/er/x"));
        fs::write(&there, "content\nof it")?;
        fs::set_permissions(&there, fs::Permissions::from_mode(0o604))?;
        let get = || fixture.host.get(there.display().to_string(), here.display().to_string());
        assert!(within_limit(get()).await?.any()?, "{kind}");
        assert_eq!((text(&here).as_str(), mode(&here)), ("content\nof it", 0o604), "{kind}");
        let inode = fs::metadata(&here)?.ino();
        let again = get().await?;
        assert_eq!((again.any()?, again.files()?.len(), fs::metadata(&here)?.ino()), (false, 1, inode), "{kind}");
        fs::write(&there, "another size")?;
        assert!(get().await?.any()?, "{kind}");
        fs::write(&there, "another_size")?;
        assert_eq!(get().mode(0o600).await?.changed()?, [here.to_str().expect("the path is valid UTF-8")], "{kind}");
        assert_eq!((text(&here).as_str(), mode(&here)), ("another_size", 0o600), "{kind}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_login_with_sftp_only_does_not_stall() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    // A command of root is started with a watcher. The input of the watcher does not end.
    let fixture = FileFixture::of(external_sftp().users([Account::Root]).start());
    fs::write(fixture.remote("x"), "x")?;
    let here = fixture.local.path().join("x");
    within_limit(fixture.host.get(fixture.remote("x").display().to_string(), here.display().to_string())).await?;
    assert_eq!(text(here), "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_match_like_in_a_shell() -> Result {
    let fixture = fixture();
    for name in ["log/a/1.log", "log/b/2.log", "log/b/.3.log", "log/b/4.txt", "log/x.log"] {
        fs::create_dir_all(fixture.remote(name).parent().expect("the path has a parent"))?;
        fs::write(fixture.remote(name), name)?;
    }
    fs::write(fixture.remote("log/[odd]"), "odd")?;
    let here = |name: &str| fixture.local.path().join(name);
    fixture
        .host
        .cd(fixture.sshd.scratch().display().to_string())
        .get("log/[ab]/*.log", here("one").display().to_string())
        .await?;
    assert_eq!(walk(&here("one")), [here("one/1.log"), here("one/2.log")]);
    fixture.host.get(fixture.remote("lo?/b*").display().to_string(), here("two").display().to_string()).await?;
    assert_eq!(walk(&here("two")), [here("two/.3.log"), here("two/2.log"), here("two/4.txt")]);
    fixture.host.get(fixture.remote("log/[odd]").display().to_string(), here("three").display().to_string()).await?;
    assert_eq!(text(here("three/[odd]")), "odd", "a pattern without a match is a file name");
    let none =
        fixture.host.get(fixture.remote("*.none").display().to_string(), here("four").display().to_string()).await;
    assert!(error_text(&expect_error(none, ErrorKind::File)).contains("no such file"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_remote_file_keeps_the_local_file() -> Result {
    let fixture = fixture();
    let here = fixture.local.path().join("new/x");
    let get = |name: &str, to: String| fixture.host.get(fixture.remote(name).display().to_string(), to);
    let error = expect_error(get("none", here.display().to_string()).await, ErrorKind::File);
    let no_file = format!("caused by: no such file: {}", fixture.remote("none").display());
    assert!(error_text(&error).contains(&no_file), "{error:?}");
    assert!(!fixture.local.path().join("new").exists(), "no directory is made");
    let old = fixture.file("old", "old");
    expect_error(get("none", old.display().to_string()).await, ErrorKind::File);
    if Capability::Accounts.is_available() {
        fs::write(fixture.remote("secret"), "s")?;
        fs::set_permissions(fixture.remote("secret"), fs::Permissions::from_mode(0o600))?;
        let error = expect_error(get("secret", old.display().to_string()).await, ErrorKind::File);
        assert!(error_text(&error).contains("caused by: Permission denied"), "{error:?}");
    }
    let made = std::process::Command::new("mkfifo").arg(fixture.remote("pipe")).status()?;
    assert!(made.success());
    let pipe = expect_error(within_limit(get("pipe", old.display().to_string())).await, ErrorKind::File);
    assert!(error_text(&pipe).contains("is not a regular file"), "{pipe:?}");
    assert_eq!(text(&old), "old");
    fs::create_dir(fixture.remote("empty"))?;
    assert_eq!(
        get("empty", here.display().to_string()).await?.files()?,
        [here.to_str().expect("the path is valid UTF-8")]
    );
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_content_but_without_a_size_is_an_error() -> Result {
    let fixture = fixture();
    let here = fixture.file("version", "old");
    let got = within_limit(fixture.host.get("/proc/version", here.display().to_string())).await;
    let error = expect_error(got, ErrorKind::File);
    assert!(error_text(&error).contains("/proc/version has no size"), "{error:?}");
    assert_eq!(text(&here), "old");
    fixture.assert_no_leftovers();
    Ok(())
}
