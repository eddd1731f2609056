//! Syncs: a remote directory becomes equal to a local one. Differing files are sent, surplus files
//! are removed, protected files stay.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use fabrs::Changes;
use fabrs::prelude::*;
use fabrs_testing::Account;

use super::random_trees::entries;
use super::{FileFixture, text};
use crate::support::{capture, error_text, expect_error, within_limit};

fn relative_names(changes: &[&str], root: &Path) -> Vec<String> {
    let mut names: Vec<_> = changes
        .iter()
        .map(|path| Path::new(path).strip_prefix(root).map_or("?".into(), |path| path.display().to_string()))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_makes_the_remote_directory_equal() -> Result {
    let fixture = FileFixture::new();
    for name in ["a", "same", "in/x", "exec", "becomes a folder", "becomes a file/x", "becomes a link"] {
        fixture.file(&format!("tree/{name}"), name);
    }
    let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
    fs::set_permissions(tree.join("exec"), fs::Permissions::from_mode(0o755))?;
    symlink("a", tree.join("link"))?;
    let sync = || fixture.host.sync(&tree, target.display().to_string());
    assert_eq!(within_limit(sync()).await?.changed()?.len(), 8);
    assert_eq!(entries(&target), entries(&tree));
    assert!(!within_limit(sync()).await?.any()?);

    let untouched = fs::metadata(target.join("same"))?.ino();
    fs::remove_file(tree.join("becomes a folder"))?;
    fixture.file("tree/becomes a folder/x", "x");
    fs::remove_dir_all(tree.join("becomes a file"))?;
    fixture.file("tree/becomes a file", "x");
    fs::remove_file(tree.join("becomes a link"))?;
    symlink("same", tree.join("becomes a link"))?;
    fs::remove_file(tree.join("link"))?;
    fixture.file("tree/link", "a file now");
    fixture.file("tree/in/x", "another");
    fs::remove_file(tree.join("exec"))?;
    for name in ["old/deep/x", "uploads/kept", "old.pyc", ".fabrs.0123456789abcdef/x"] {
        fs::create_dir_all(target.join(name).parent().expect("the path has a parent"))?;
        fs::write(target.join(name), "there")?;
    }
    // The directories belong to another user than the login.
    for folder in ["old", "old/deep"] {
        fs::set_permissions(target.join(folder), fs::Permissions::from_mode(0o777))?;
    }
    let refused_change = expect_error(within_limit(sync()).await, ErrorKind::File);
    assert!(error_text(&refused_change).contains("becomes a file is a directory"), "{}", error_text(&refused_change));
    assert_eq!(text(target.join("in/x")), "in/x", "no file is put");
    let delete = || sync().delete().protect("/uploads").exclude("*.pyc");
    let changes = within_limit(delete()).await?;
    let written = ["becomes a file", "becomes a folder/x", "becomes a link", "in/x", "link"];
    assert_eq!(relative_names(&changes.changed()?, &target), written);
    assert_eq!(relative_names(&changes.removed()?, &target), ["becomes a file", "exec", "old"]);
    for kept in ["uploads/kept", "old.pyc", ".fabrs.0123456789abcdef/x"] {
        assert_eq!(text(target.join(kept)), "there");
        fs::remove_file(target.join(kept))?;
    }
    fs::remove_dir(target.join("uploads"))?;
    fs::remove_dir(target.join(".fabrs.0123456789abcdef"))?;
    assert_eq!(entries(&target), entries(&tree));
    assert_eq!(fs::metadata(target.join("same"))?.ino(), untouched);
    assert!(!within_limit(delete()).await?.any()?);
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_updates_times_and_modes_without_content_and_checksum_compares_content() -> Result {
    let fixture = FileFixture::new();
    for name in ["time", "mode", "hidden", "large"] {
        fixture.file(&format!("tree/{name}"), if name == "large" { "x".repeat(9 << 20) } else { name.to_owned() });
    }
    let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
    let sync = || fixture.host.sync(&tree, target.display().to_string());
    within_limit(sync()).await?;
    assert_eq!(entries(&target), entries(&tree), "a large file keeps its time");
    let inode = |name: &str| fs::metadata(target.join(name)).map(|meta| meta.ino());
    let before = (inode("time")?, inode("mode")?);
    fs::File::open(tree.join("time"))?.set_modified(std::time::UNIX_EPOCH + secs(1_000_000_000))?;
    fs::set_permissions(tree.join("mode"), fs::Permissions::from_mode(0o600))?;
    assert_eq!(
        relative_names(&within_limit(sync()).await?.changed()?, &target),
        ["mode"],
        "since when it is so is no change"
    );
    assert_eq!((inode("time")?, inode("mode")?), before, "the contents were not sent");
    assert_eq!(entries(&target), entries(&tree));

    let time = fs::metadata(tree.join("hidden"))?.modified()?;
    fs::write(tree.join("hidden"), "HIDDEN")?;
    fs::File::open(tree.join("hidden"))?.set_modified(time)?;
    assert!(!within_limit(sync()).await?.any()?, "size and time are the same");
    assert_eq!(relative_names(&within_limit(sync().checksum()).await?.changed()?, &target), ["hidden"]);
    assert_eq!(text(target.join("hidden")), "HIDDEN");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_of_a_sync_lists_the_changes_and_makes_none() -> Result {
    let fixture = FileFixture::new();
    for name in ["new/x", "longer", "mode", "was a folder"] {
        fixture.file(&format!("tree/{name}"), name);
    }
    let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
    symlink("x", tree.join("link"))?;
    let (seen, sink) = capture();
    let client = super::diffs::dry_run_client(&fixture.sshd).sink(sink).build();
    let host = client.connect(fixture.sshd.alias())?;
    let sync = || host.sync(&tree, target.display().to_string()).delete();
    within_limit(sync()).await?;
    assert!(!target.exists());
    fs::create_dir_all(target.join("old/er"))?;
    // A sync into a directory without write permission has no plan.
    fs::set_permissions(&target, fs::Permissions::from_mode(0o777))?;
    fs::create_dir_all(target.join("was a folder/with"))?;
    fs::write(target.join("longer"), "short")?;
    fs::copy(tree.join("mode"), target.join("mode"))?;
    let time = fs::metadata(tree.join("mode"))?.modified()?;
    fs::File::open(target.join("mode"))?.set_modified(time)?;
    fs::set_permissions(target.join("mode"), fs::Permissions::from_mode(0o600))?;
    fs::File::open(target.join("longer"))?.set_modified(fs::metadata(tree.join("longer"))?.modified()?)?;
    let planned: Changes = within_limit(sync()).await?;
    assert!(planned.any()?, "the planned change");
    client.close().await;
    let listed: Vec<_> = seen.of_kind("diff").iter().map(|event| event["diff"].clone()).collect();
    let all_new = [
        "cL+++++++++ link -> x",
        "<f+++++++++ longer",
        "<f+++++++++ mode",
        "cd+++++++++ new/",
        "<f+++++++++ new/x",
        "<f+++++++++ was a folder",
    ];
    let some = [
        "cL+++++++++ link -> x",
        "<f.s....... longer",
        ".f...p..... mode",
        "cd+++++++++ new/",
        "<f+++++++++ new/x",
        "<f+++++++++ was a folder",
        "*deleting   was a folder/",
        "*deleting   old/",
    ];
    let entries = |lines: &[&str]| serde_json::json!({ "entries": lines });
    assert_eq!(listed, [entries(&all_new), entries(&some)]);
    assert_eq!(text(target.join("longer")), "short");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleting_sync_of_the_root_or_an_empty_source_is_refused() -> Result {
    let fixture = FileFixture::new();
    fixture.file("tree/a", "a");
    fs::create_dir(fixture.local.path().join("empty"))?;
    let tree = fixture.local.path().join("tree");
    for target in ["/", "~", "~/", "", ".", "./"] {
        let error = expect_error(within_limit(fixture.host.sync(&tree, target).delete()).await, ErrorKind::Usage);
        assert!(error_text(&error).contains("refusing to delete"), "{target}: {}", error_text(&error));
    }
    let target = fixture.remote("tree");
    fs::create_dir(&target)?;
    fs::write(target.join("x"), "x")?;
    let nothing = fixture.host.sync(fixture.local.path().join("empty"), target.display().to_string()).delete();
    assert!(error_text(&expect_error(within_limit(nothing).await, ErrorKind::Usage)).contains("is empty"));
    let missing =
        expect_error(within_limit(fixture.host.sync(fixture.local.path().join("none"), "x")).await, ErrorKind::Local);
    assert!(error_text(&missing).contains("is not a local directory"));
    assert_eq!(text(target.join("x")), "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_works_under_sudo_and_needs_a_shell() -> Result {
    let sftp = super::sftp::fixture();
    sftp.file("tree/a", "a");
    let error = expect_error(
        within_limit(sftp.host.sync(sftp.local.path().join("tree"), sftp.remote("x").display().to_string())).await,
        ErrorKind::File,
    );
    assert!(error_text(&error).contains("sync needs a POSIX shell"), "{}", error_text(&error));
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let there = tempfile::tempdir()?;
    let target = there.path().join("tree");
    let host = fixture.host();
    let sync =
        || host.sync(sftp.local.path().join("tree"), target.display().to_string()).sudo().owner("nobody").delete();
    assert!(within_limit(sync()).await?.any()?);
    assert_eq!((text(target.join("a")), fs::metadata(target.join("a"))?.uid()), ("a".to_owned(), 65534));
    assert!(!within_limit(sync()).await?.any()?);
    host.close().await;
    Ok(())
}
