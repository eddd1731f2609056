//! Uploads by SFTP: the targets of files, their modes, and the files that are sent at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::super::{FileFixture, mode, text, walk};
use super::{fixture, internal_sftp, server_kinds};
use crate::support::{error_text, expect_error, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_uploaded_with_its_mode_and_only_once() -> Result {
    for (kind, server) in server_kinds() {
        let fixture = FileFixture::of(server.start());
        let (file, target) = (fixture.file("app.conf", "workers = 4\n"), fixture.remote("app.conf"));
        let put = || fixture.host.put(&file, target.display().to_string());
        assert!(within_limit(put().mode(0o640)).await?.any()?, "{kind}");
        assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 4\n", 0o640), "{kind}");
        let inode = fs::metadata(&target)?.ino();
        let changes = put().mode(0o640).await?;
        assert_eq!(
            (changes.any()?, changes.files()?),
            (false, vec![target.to_str().expect("the path is valid UTF-8")]),
            "{kind}"
        );
        assert_eq!(fs::metadata(&target)?.ino(), inode, "{kind}: it was not touched");
        assert!(put().mode(0o600).await?.any()?, "{kind}: a mode is a change too");
        assert_eq!((mode(&target), fs::metadata(&target)?.ino()), (0o600, inode), "{kind}");
        fixture.file("app.conf", "workers = 5\n");
        assert_eq!(put().await?.changed()?, [target.to_str().expect("the path is valid UTF-8")], "{kind}");
        assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 5\n", 0o600), "{kind}: it keeps its mode");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_are_resolved_against_the_directory_and_the_home() -> Result {
    let fixture = fixture();
    let file = fixture.file("own name", "x");
    fs::create_dir(fixture.remote("with blank"))?;
    fs::set_permissions(fixture.remote("with blank"), fs::Permissions::from_mode(0o777))?;
    let there = fixture.host.cd(fixture.remote("with blank").display().to_string());
    there.put(&file, "it's here").await?;
    there.put(&file, "").await?;
    there.put(&file, fixture.remote("absolute").display().to_string()).await?;
    assert_eq!(text(fixture.remote("with blank/it's here")), "x");
    assert_eq!(text(fixture.remote("with blank/own name")), "x");
    assert_eq!(text(fixture.remote("absolute")), "x");
    for target in [fixture.sshd.scratch().display().to_string(), format!("{}/", fixture.sshd.scratch().display())] {
        fixture.host.put(&file, target).await?;
        assert_eq!(text(fixture.remote("own name")), "x");
    }
    let name = format!("fabrs-home-{}", std::process::id());
    let changes = fixture.host.put(&file, format!("~/{name}")).await?;
    let home = changes.files()?.first().map(std::path::PathBuf::from).expect("one file was put");
    assert!(home.is_absolute() && text(&home) == "x", "{}", home.display());
    assert!(!fixture.host.put(&file, name).await?.any()?, "the target is the same");
    fs::remove_file(home)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_and_patterns_are_uploaded_recursively() -> Result {
    let fixture = fixture();
    for name in ["site/index.html", "site/css/a.css", "site/css/b c.css", "site/css/deep/d.css"] {
        fixture.file(name, name);
    }
    let (site, target) = (fixture.local.path().join("site"), fixture.remote("new/www"));
    assert_eq!(fixture.host.put(&site, target.display().to_string()).await?.changed()?.len(), 4);
    let names: Vec<_> = walk(&target).iter().map(|path| path.strip_prefix(&target).map(ToOwned::to_owned)).collect();
    let expected = ["css/a.css", "css/b c.css", "css/deep/d.css", "index.html"].map(|name| Ok(name.into()));
    assert_eq!(names, expected);
    assert_eq!(mode(&target), 0o755);
    fixture.file("site/css/a.css", "changed");
    let changes = fixture.host.put(&site, target.display().to_string()).await?;
    assert_eq!(
        changes.changed()?,
        [target.join("css/a.css").to_str().expect("the path is valid UTF-8")],
        "only differing files are sent"
    );
    fixture.host.put(site.join("css/*.css"), fixture.remote("styles").display().to_string()).await?;
    assert_eq!(walk(&fixture.remote("styles")).len(), 2);
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_a_symlink_replaces_its_target_file() -> Result {
    let fixture = fixture();
    let (file, folder) = (fixture.file("x", "new"), fixture.open_folder());
    let (real, link) = (folder.join("real"), fixture.remote("link"));
    fs::write(&real, "old")?;
    fs::set_permissions(&real, fs::Permissions::from_mode(0o666))?;
    symlink("open/by", &link)?;
    symlink(&real, folder.join("by"))?;
    let changes = fixture.host.put(&file, link.display().to_string()).await?;
    assert_eq!(changes.changed()?, [real.to_str().expect("the path is valid UTF-8")]);
    assert!(fs::symlink_metadata(&link)?.is_symlink() && fs::symlink_metadata(folder.join("by"))?.is_symlink());
    assert_eq!((text(&real).as_str(), mode(&real)), ("new", 0o666));
    fs::remove_file(&real)?;
    fixture.host.put(&file, link.display().to_string()).await?;
    assert_eq!(text(&real), "new", "the target did not exist");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_put_has_a_reason_and_keeps_the_old_file() -> Result {
    let fixture = fixture();
    let (file, target) = (fixture.file("x", "new"), fixture.remote("folder/x"));
    let put = |target: String| fixture.host.put(&file, target);
    let missing = expect_error(put(target.display().to_string()).await, ErrorKind::File);
    let shown = error_text(&missing);
    let no_folder = format!("caused by: no such directory: {}", fixture.remote("folder").display());
    assert!(shown.contains(&no_folder) && shown.contains("host: could not put"), "{shown}");

    fs::create_dir(fixture.remote("folder"))?;
    fs::write(&target, "old")?;
    fs::create_dir_all(fixture.remote("folder/is a directory/x"))?;
    let folder =
        expect_error(put(fixture.remote("folder/is a directory").display().to_string()).await, ErrorKind::File);
    assert!(error_text(&folder).contains("x is a directory"), "{folder:?}");
    let below = expect_error(put(target.join("x").display().to_string()).await, ErrorKind::File);
    assert!(error_text(&below).contains("no such directory"), "{below:?}");

    // The login may not write to this directory.
    fs::set_permissions(fixture.remote("folder"), fs::Permissions::from_mode(0o755))?;
    if Capability::Accounts.is_available() {
        let denied = expect_error(put(target.display().to_string()).await, ErrorKind::File);
        assert!(error_text(&denied).contains("caused by: Permission denied"), "{denied:?}");
        let made =
            fixture.host.put(fixture.local.path().to_owned(), fixture.remote("folder/new").display().to_string()).await;
        assert!(error_text(&expect_error(made, ErrorKind::File)).contains("Permission denied"));
    }
    let named = expect_error(fixture.host.put(&file, "x").owner("daemon").await, ErrorKind::File);
    assert!(error_text(&named).contains("use the numeric ID of `daemon`"), "{named:?}");
    assert_eq!(text(&target), "old");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numeric_owners_are_set_and_kept() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = FileFixture::of(internal_sftp().users([Account::Root]).start());
    let target = fixture.remote("x");
    let put = |content: &str| fixture.host.put(content.as_bytes().to_vec(), target.display().to_string());
    let owner = || fs::metadata(&target).map(|meta| (meta.uid(), meta.gid()));
    put("one").owner("65534").group("1").await?;
    assert_eq!(owner()?, (65534, 1));
    assert!(put("two").await?.any()?);
    assert_eq!((owner()?, text(&target)), ((65534, 1), "two".to_owned()), "a replaced file keeps its owner");
    assert!(put("two").group("2").mode(0o4755).await?.any()?, "an owner is a change");
    assert_eq!((owner()?, mode(&target)), ((65534, 2), 0o4755));
    assert!(!put("two").owner("65534").group("2").mode(0o4755).await?.any()?);
    Ok(())
}
