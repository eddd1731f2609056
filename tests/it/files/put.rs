//! Uploads by the shell backend: the targets of files, their modes, and the files that are sent at
//! all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use fabrs::prelude::*;

use super::{FileFixture, mode, text, walk};
use crate::support::{client_of, error_text, event_texts, expect_error, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_uploaded_with_its_mode_and_only_once() -> Result {
    let fixture = FileFixture::new();
    let (file, target) = (fixture.file("app.conf", "workers = 4\n"), fixture.remote("app.conf"));
    let put = || fixture.host.put(&file, target.display().to_string());
    assert!(put().mode(0o640).await?.any()?);
    assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 4\n", 0o640));
    let inode = fs::metadata(&target)?.ino();
    let changes = put().mode(0o640).await?;
    assert_eq!((changes.any()?, changes.files()?), (false, vec![target.to_str().expect("the path is valid UTF-8")]));
    assert_eq!(fs::metadata(&target)?.ino(), inode, "the file was not replaced");
    assert!(put().mode(0o600).await?.any()?, "a mode is a change too");
    assert_eq!((mode(&target), fs::metadata(&target)?.ino()), (0o600, inode));
    fixture.file("app.conf", "workers = 5\n");
    assert_eq!(put().await?.changed()?, [target.to_str().expect("the path is valid UTF-8")]);
    assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 5\n", 0o600), "a replaced file keeps its mode");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_target_is_resolved_against_the_directory() -> Result {
    let fixture = FileFixture::new();
    let file = fixture.file("x", "x");
    fs::create_dir(fixture.remote("with blank"))?;
    fs::set_permissions(fixture.remote("with blank"), fs::Permissions::from_mode(0o777))?;
    let there = fixture.host.cd(fixture.remote("with blank").display().to_string());
    there.put(&file, "it's here").await?;
    there.env("X", "y").prefix("false").put(&file, fixture.remote("absolute").display().to_string()).await?;
    assert_eq!(text(fixture.remote("with blank/it's here")), "x");
    assert_eq!(text(fixture.remote("absolute")), "x", "settings for commands do not affect files");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o751))?;
    there.put(&file, "").preserve_mode().await?;
    assert_eq!((text(fixture.remote("with blank/x")).as_str(), mode(&fixture.remote("with blank/x"))), ("x", 0o751));
    let name = format!("fabrs-home-{}", std::process::id());
    fixture.host.put(&file, format!("~/{name}")).await?;
    fixture.host.put(&file, name.clone()).await?;
    assert_eq!(fixture.host.probe(cmd!("cat ~/{name}; rm ~/{name}")).line().await?, "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_put_into_a_directory_keeps_its_name() -> Result {
    let fixture = FileFixture::new();
    let file = fixture.file("own name", "x");
    let folder = fixture.sshd.scratch().display().to_string();
    for target in [folder.clone(), format!("{folder}/")] {
        fixture.host.put(&file, target).await?;
        assert_eq!(text(fixture.remote("own name")), "x");
    }
    let error = expect_error(fixture.host.put(b"x".to_vec(), format!("{folder}/")).await, ErrorKind::Usage);
    assert!(error_text(&error).contains("missing file name"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_and_patterns_are_uploaded_recursively() -> Result {
    let fixture = FileFixture::new();
    for name in ["site/index.html", "site/css/a.css", "site/css/b c.css", "site/css/deep/d.css"] {
        fixture.file(name, name);
    }
    let (site, target) = (fixture.local.path().join("site"), fixture.remote("www"));
    let changes = fixture.host.put(&site, target.display().to_string()).await?;
    assert_eq!(changes.changed()?.len(), 4);
    let names: Vec<_> = walk(&target)
        .iter()
        .map(|path| path.strip_prefix(&target).map(|p| p.display().to_string()))
        .collect::<std::result::Result<_, _>>()?;
    assert_eq!(names, ["css/a.css", "css/b c.css", "css/deep/d.css", "index.html"]);
    fixture.file("site/css/a.css", "changed");
    let changes = fixture.host.put(&site, target.display().to_string()).await?;
    assert_eq!(
        changes.changed()?,
        [target.join("css/a.css").to_str().expect("the path is valid UTF-8")],
        "only differing files are sent"
    );

    let pattern = fixture.local.path().join("site/css/*.css");
    fixture.host.put(pattern, fixture.remote("styles").display().to_string()).await?;
    assert_eq!(walk(&fixture.remote("styles")).len(), 2);
    let none = expect_error(fixture.host.put(site.join("*.none"), "x").await, ErrorKind::Local);
    assert!(none.to_string().contains("no such local file:"), "{none:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_a_symlink_replaces_its_target_file() -> Result {
    let fixture = FileFixture::new();
    let (file, folder) = (fixture.file("x", "new"), fixture.open_folder());
    let (real, link) = (folder.join("real"), folder.join("link"));
    fs::write(&real, "old")?;
    fs::set_permissions(&real, fs::Permissions::from_mode(0o666))?;
    symlink("real", &link)?;
    fixture.host.put(&file, link.display().to_string()).await?;
    assert!(fs::symlink_metadata(&link)?.is_symlink());
    assert_eq!((text(&real).as_str(), mode(&real)), ("new", 0o666));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_and_conflicting_targets_are_refused_before_the_upload() -> Result {
    let fixture = FileFixture::new();
    let files = [fixture.file("a/app.conf", "a"), fixture.file("b/app.conf", "b")];
    let target = fixture.remote("target").display().to_string();
    let twice = expect_error(fixture.host.put(files, target.clone()).await, ErrorKind::Usage);
    assert!(twice.to_string().contains("have the same target"), "{twice:?}");
    let device = expect_error(fixture.host.put("/dev/zero", target).await, ErrorKind::Local);
    assert!(device.to_string().contains("is not a regular file"), "{device:?}");
    assert!(!fixture.remote("target").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_put_on_this_machine_like_on_any_host() -> Result {
    let fixture = FileFixture::new();
    let (file, target) = (fixture.file("x", "x"), fixture.local.path().join("y"));
    let client = Client::builder().build();
    assert!(client.local()?.put(&file, target.display().to_string()).mode(0o600).await?.any()?);
    assert_eq!((text(&target).as_str(), mode(&target)), ("x", 0o600));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_put_has_a_reason_and_keeps_the_old_file() -> Result {
    let fixture = FileFixture::new();
    let (file, target) = (fixture.file("x", "new"), fixture.remote("folder/x"));
    let put = |target: String| fixture.host.put(&file, target);
    let missing = expect_error(put(target.display().to_string()).await, ErrorKind::File);
    let shown = error_text(&missing);
    assert!(shown.contains("caused by: no such directory:") && shown.contains("host: could not put"), "{shown}");

    fs::create_dir(fixture.remote("folder"))?;
    fs::write(&target, "old")?;
    fs::create_dir(fixture.remote("folder/is a directory"))?;
    fs::create_dir(fixture.remote("folder/is a directory/x"))?;
    let folder =
        expect_error(put(fixture.remote("folder/is a directory").display().to_string()).await, ErrorKind::File);
    assert!(error_text(&folder).contains("is a directory"), "{folder:?}");

    // The login may not write to this directory.
    fs::set_permissions(fixture.remote("folder"), fs::Permissions::from_mode(0o755))?;
    if fabrs_testing::Capability::Accounts.is_available() {
        let denied = expect_error(put(target.display().to_string()).await, ErrorKind::File);
        let shown = error_text(&denied);
        assert!(shown.contains("Permission denied") && shown.contains("hint: use `.sudo()`"), "{shown}");
        assert_eq!(text(&target), "old");
    }
    let here = expect_error(fixture.host.put(fixture.local.path().join("none"), "x").await, ErrorKind::Local);
    assert!(here.to_string().contains("none"), "{here:?}");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test]
async fn a_dry_run_warns_about_a_missing_directory_unless_the_plan_may_make_it() -> Result {
    use fabrs::config::Mode;

    let fixture = FileFixture::new();
    let (seen, sink) = crate::support::capture();
    let settings = crate::support::settings(&crate::support::ssh_config(&fixture.sshd, ""));
    let client = Client::builder().settings(settings.mode(Mode::DryRun)).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let target = fixture.remote("missing/x").display().to_string();
    assert!(host.put(b"x", &target).await?.any()?);
    let warnings = event_texts(&seen, "warning", "text");
    let folder =
        format!("no such directory: {}, and no planned change creates it", fixture.remote("missing").display());
    assert!(warnings.len() == 1 && warnings[0].contains(&folder), "{warnings:?}");
    assert!(host.put(b"y", &target).await?.any()?);
    assert_eq!(event_texts(&seen, "warning", "text").len(), 1, "an earlier step may make it");
    client.close().await;
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test]
async fn a_put_to_an_unreachable_host_is_planned_with_unknown_changes() -> Result {
    use fabrs::config::{Mode, Settings};
    use fabrs::transport::Fake;

    let (seen, sink) = crate::support::capture();
    let settings = Settings::default().mode(Mode::DryRun);
    let client = Client::builder().settings(settings).dial(Fake::new().unreachable("web1")).sink(sink).build();
    let file = tempfile::NamedTempFile::new()?;
    let changes = client.connect("web1")?.put(file.path(), "/etc/shop.conf").mode(0o640).sudo().await?;
    let shown = format!("put {} -> /etc/shop.conf (mode 0640) by sudo", file.path().display());
    assert_eq!(event_texts(&seen, "planned", "operation"), [shown]);
    let error = expect_error(changes.any(), ErrorKind::NotRun);
    assert!(error.to_string().contains("put.rs"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uploaded_secret_is_private_and_never_shown() -> Result {
    let fixture = FileFixture::new();
    let secret = Secret::new("a secret of the files");
    let there = fixture.remote("token");
    let put = || fixture.host.put(&secret, there.display().to_string());
    assert!(put().await?.any()?);
    assert_eq!((text(&there).as_str(), mode(&there)), ("a secret of the files", 0o600));
    assert!(!put().await?.any()?, "the file is not written again");
    assert!(put().mode(0o640).await?.any()?, "a mode is a change");
    assert_eq!(mode(&there), 0o640);
    assert!(fixture.host.put(Secret::new("a secret of the other"), there.display().to_string()).await?.any()?);
    assert_eq!(mode(&there), 0o640, "a replaced file keeps its mode");
    let printed = format!("{:?} {:?}", fixture.host.put(&secret, "x"), put().await?);
    assert!(!printed.contains("a secret of"), "{printed}");
    assert_eq!(walk(&fixture.sshd.scratch()), [there]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_rendered_per_host_and_uploaded_like_a_file() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let path = fixture.file("conf/site.conf.j2", "# {{ host }}\nport = {{ port }}\n{% include 'more.j2' %}");
        fixture.file("conf/more.j2", "app = {{ app }}\n");
        let config = fabrs::config::Config::parse("vars.app = 'shop'", "fabrs.toml".as_ref())?;
        let inventory = fabrs::config::Inventory::new(&config, None)?;
        let host = client_of(&fixture.sshd, "").inventory(inventory).build().connect("host")?;
        let template = || Template::file(&path).set("port", 8000);
        let target = fixture.remote("site.conf").display().to_string();
        assert!(host.put(template(), target.clone()).await?.any()?);
        assert_eq!(text(&target), "# host\nport = 8000\napp = shop\n");
        assert!(!host.put(template(), target.clone()).await?.any()?);
        let error = expect_error(host.put(Template::file(&path), target.clone()).await, ErrorKind::Local);
        let block = error_text(&error);
        assert!(block.contains("could not render") && block.contains("site.conf.j2:2"), "{block}");
        assert_eq!(text(&target), "# host\nport = 8000\napp = shop\n");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_read_once_for_all_hosts() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let content: Vec<u8> = (0..=250u8).cycle().take(9 << 20).collect();
        let source = Source::reader(std::io::Cursor::new(content.clone()));
        for name in ["one", "other"] {
            let put = within_limit(fixture.host.put(source.clone(), fixture.remote(name).display().to_string()));
            assert_eq!(put.await?.changed()?.len(), 1);
            assert!(fs::read(fixture.remote(name))? == content);
        }
        assert!(!within_limit(fixture.host.put(source, fixture.remote("one").display().to_string())).await?.any()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mode_in_decimal_digits_is_a_usage_error() -> Result {
    let fixture = FileFixture::new();
    let (file, target) = (fixture.file("x", "x"), fixture.remote("x"));
    let to = || target.display().to_string();
    for mode in [644, 600, 755, 0o10000] {
        expect_error(within_limit(fixture.host.put(&file, to()).mode(mode)).await, ErrorKind::Usage);
        expect_error(within_limit(fixture.host.ensure_dir(to()).mode(mode)).await, ErrorKind::Usage);
        expect_error(
            within_limit(fixture.host.get(to(), fixture.local.path().display().to_string()).mode(mode)).await,
            ErrorKind::Usage,
        );
    }
    assert!(!target.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_below_a_regular_file_is_an_error() -> Result {
    let fixture = FileFixture::new();
    fs::write(fixture.remote("x"), "a file")?;
    let error = expect_error(
        within_limit(fixture.host.put(b"y".to_vec(), fixture.remote("x/y").display().to_string())).await,
        ErrorKind::File,
    );
    assert!(
        error_text(&error).contains("x is not a directory") && !error_text(&error).contains("ensure_dir"),
        "{error:?}"
    );
    Ok(())
}
