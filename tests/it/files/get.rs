//! Downloads by the shell backend: the targets of files, and unchanged local files after a failure.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use fabrs::prelude::*;

use super::{FileFixture, mode, text, walk};
use crate::support::{error_text, expect_error};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_downloaded_with_its_mode_and_only_once() -> Result {
    let fixture = FileFixture::new();
    let (there, here) = (fixture.remote("50% x"), fixture.local.path().join("deep/er/x"));
    fs::write(&there, "content\nof it")?;
    fs::set_permissions(&there, fs::Permissions::from_mode(0o604))?;
    let get = || fixture.host.get(there.display().to_string(), here.display().to_string());
    assert!(get().await?.any()?);
    assert_eq!((text(&here).as_str(), mode(&here)), ("content\nof it", 0o604));
    assert!(!get().await?.any()?);
    fs::write(&there, "other")?;
    assert_eq!(get().mode(0o600).await?.changed()?, [here.to_str().expect("the path is valid UTF-8")]);
    assert_eq!((text(&here).as_str(), mode(&here)), ("other", 0o600));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_and_path_placeholders_separate_the_files_of_hosts() -> Result {
    let fixture = FileFixture::new();
    fs::create_dir_all(fixture.remote("log/sub"))?;
    for name in ["log/x", "log/sub/y", "log/100%"] {
        fs::write(fixture.remote(name), name)?;
    }
    let port = fixture.sshd.port();
    let host = fixture.host.client().expect("the connection has a client").connect(format!("host:{port}"))?;
    let template = |rest: &str| format!("{}/{{host}}/{rest}", fixture.local.path().display());
    host.get(fixture.remote("log/x").display().to_string(), template("{path}")).await?;
    assert_eq!(text(fixture.local.path().join(format!("host-{port}/x"))), "log/x");
    host.get(fixture.remote("log").display().to_string(), template("{path}")).await?;
    for name in ["log/x", "log/sub/y", "log/100%"] {
        assert_eq!(text(fixture.local.path().join(format!("host-{port}")).join(name)), name);
    }
    host.get(fixture.remote("log/x").display().to_string(), template("")).await?;
    host.get(fixture.remote("log/*0%").display().to_string(), template("all/")).await?;
    assert_eq!(text(fixture.local.path().join(format!("host-{port}/all/100%"))), "log/100%");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_downloaded_to_a_new_path_or_into_a_directory() -> Result {
    let fixture = FileFixture::new();
    fs::create_dir_all(fixture.remote("site/css"))?;
    fs::write(fixture.remote("site/css/a b"), "a")?;
    fs::write(fixture.remote("site/i"), "i")?;
    let get = |to: String| fixture.host.get(fixture.remote("site").display().to_string(), to);
    get(fixture.local.path().join("new").display().to_string()).await?;
    get(format!("{}/", fixture.local.path().join("into").display())).await?;
    let found: Vec<_> = walk(fixture.local.path())
        .iter()
        .map(|path| path.strip_prefix(fixture.local.path()).map(|p| p.display().to_string()))
        .collect::<std::result::Result<_, _>>()?;
    assert_eq!(found, ["into/site/css/a b", "into/site/i", "new/css/a b", "new/i"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_remote_file_keeps_the_local_file() -> Result {
    let fixture = FileFixture::new();
    let here = fixture.local.path().join("new/x");
    let get = |to: String| fixture.host.get(fixture.remote("none").display().to_string(), to);
    let error = expect_error(get(here.display().to_string()).await, ErrorKind::File);
    assert!(error_text(&error).contains("caused by: no such file:"), "{error:?}");
    assert!(!fixture.local.path().join("new").exists(), "no directory is made");
    let old = fixture.file("old", "old");
    expect_error(get(old.display().to_string()).await, ErrorKind::File);
    assert_eq!(text(&old), "old");
    let pattern = fixture.host.get(fixture.remote("*.none").display().to_string(), old.display().to_string()).await;
    expect_error(pattern, ErrorKind::File);
    fs::create_dir(fixture.remote("empty"))?;
    let empty = || {
        fixture.host.get(fixture.remote("empty").display().to_string(), format!("{}/", fixture.local.path().display()))
    };
    assert!(empty().await?.any()? && fixture.local.path().join("empty").is_dir());
    assert!(!empty().await?.any()?);
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_pattern_are_written_to_a_new_directory() -> Result {
    let fixture = FileFixture::new();
    for name in ["a.log", "b.log"] {
        fs::write(fixture.remote(name), "there")?;
    }
    fixture
        .host
        .get(fixture.remote("*.log").display().to_string(), fixture.local.path().join("logs").display().to_string())
        .await?;
    assert_eq!(walk(fixture.local.path()), ["a.log", "b.log"].map(|name| fixture.local.path().join("logs").join(name)));
    Ok(())
}

#[tokio::test]
async fn a_host_cannot_write_outside_the_target() -> Result {
    use fabrs::transport::{Fake, FakeAnswer};

    let here = tempfile::tempdir()?;
    for name in ["../evil", "/tmp/evil", "a/../../evil", "./../evil"] {
        let listed = FakeAnswer::stdout(format!("fabrs-here\n\0x81a4 0 0 1 0 0 1 ./{name}\0fabrs-end\0"));
        let client = Client::builder().dial(Fake::new().on("get /srv/x/", listed)).build();
        let to = here.path().join("place").display().to_string();
        let error = expect_error(client.connect("web1")?.get("/srv/x/", to).await, ErrorKind::File);
        assert!(error.to_string().contains("would be written outside of"), "{name}: {error:?}");
    }
    let listed = FakeAnswer::stdout("fabrs-here\nf\0/srv/a/app.log\0f\0/srv/b/app.log\0");
    let client = Client::builder().dial(Fake::new().on("list /srv/*/app.log", listed)).build();
    let to = format!("{}/", here.path().display());
    let error = expect_error(client.connect("web1")?.get("/srv/*/app.log", to).await, ErrorKind::Usage);
    assert!(error.to_string().contains("would both be written to"), "{error:?}");
    assert_eq!(walk(here.path()), Vec::<std::path::PathBuf>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unwritable_target_is_named() -> Result {
    let fixture = FileFixture::new();
    fs::write(fixture.remote("x"), "x")?;
    let file = fixture.file("file", "old");
    let below = file.join("x");
    let error = expect_error(
        fixture.host.get(fixture.remote("x").display().to_string(), below.display().to_string()).await,
        ErrorKind::Local,
    );
    assert!(error.to_string().contains("could not write"), "{error:?}");
    assert_eq!(text(&file), "old");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_downloaded_symlink_is_not_followed() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let secret = tempfile::tempdir()?;
        let (there, here) = (fixture.remote("x"), fixture.local.path().join("x"));
        fs::create_dir_all(&there)?;
        symlink(secret.path(), there.join("in"))?;
        let get = || fixture.host.get(there.display().to_string(), format!("{}/", fixture.local.path().display()));
        get().await?;
        assert_eq!(fs::read_link(here.join("in"))?, secret.path());
        fs::remove_file(there.join("in"))?;
        fs::create_dir(there.join("in"))?;
        for name in ["in/evil", "in/worse"] {
            fs::write(there.join(name), name)?;
        }
        let error = expect_error(get().await, ErrorKind::Local);
        assert!(error_text(&error).contains("in` is a symlink"), "{}", error_text(&error));
        assert_eq!(walk(secret.path()), Vec::<std::path::PathBuf>::new());
        // A symlink made by the user is followed.
        let own = fixture.local.path().join("own");
        symlink(fixture.file("elsewhere/x", "").parent().expect("the path has a parent"), &own)?;
        fixture.host.get(there.join("in").display().to_string(), format!("{}/", own.display())).await?;
        assert_eq!(text(fixture.local.path().join("elsewhere/in/evil")), "in/evil");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_basename_placeholder_flattens_directories() -> Result {
    let fixture = FileFixture::new();
    for name in ["a/same/x", "b/same/y", "b/none/same/z"] {
        fs::create_dir_all(fixture.remote("tree").join(name).parent().expect("the path has a parent"))?;
        fs::write(fixture.remote("tree").join(name), name)?;
    }
    let to = format!("{}/all/{{basename}}", fixture.local.path().display());
    fixture.host.get(fixture.remote("tree").display().to_string(), to).await?;
    assert_eq!(walk(fixture.local.path()), ["x", "y", "z"].map(|name| fixture.local.path().join("all").join(name)));
    assert_eq!(fs::read_dir(fixture.local.path().join("all"))?.count(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_empty_directory_is_a_change() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        fs::create_dir_all(fixture.remote("tree/none/in"))?;
        let get = || {
            fixture
                .host
                .get(fixture.remote("tree").display().to_string(), format!("{}/", fixture.local.path().display()))
        };
        let new = fixture.local.path().join("tree/none/in");
        assert_eq!(get().await?.changed()?, [new.to_str().expect("the path is valid UTF-8")]);
        assert!(!get().await?.any()?);
    }
    Ok(())
}
