//! Syncs: a remote directory becomes equal to a local one. Differing files are sent, surplus files
//! are removed, protected files stay.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use fabrs::Changes;
use fabrs::prelude::*;
use fabrs_testing::Account;

use super::chance::entries;
use super::{Lab, text};
use crate::support::{block, capture, refused, soon};

fn below(changes: &[&str], root: &Path) -> Vec<String> {
    let mut names: Vec<_> = changes
        .iter()
        .map(|path| Path::new(path).strip_prefix(root).map_or("?".into(), |path| path.display().to_string()))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_becomes_the_equal_of_one_here() -> Result {
    let lab = Lab::new();
    for name in ["a", "same", "in/x", "exec", "becomes a folder", "becomes a file/x", "becomes a link"] {
        lab.file(&format!("tree/{name}"), name);
    }
    let (tree, target) = (lab.here.path().join("tree"), lab.there("tree"));
    fs::set_permissions(tree.join("exec"), fs::Permissions::from_mode(0o755))?;
    symlink("a", tree.join("link"))?;
    let sync = || lab.host.sync(&tree, target.display().to_string());
    assert_eq!(soon(sync()).await?.changed()?.len(), 8);
    assert_eq!(entries(&target), entries(&tree));
    assert!(!soon(sync()).await?.any()?);

    let untouched = fs::metadata(target.join("same"))?.ino();
    fs::remove_file(tree.join("becomes a folder"))?;
    lab.file("tree/becomes a folder/x", "x");
    fs::remove_dir_all(tree.join("becomes a file"))?;
    lab.file("tree/becomes a file", "x");
    fs::remove_file(tree.join("becomes a link"))?;
    symlink("same", tree.join("becomes a link"))?;
    fs::remove_file(tree.join("link"))?;
    lab.file("tree/link", "a file now");
    lab.file("tree/in/x", "another");
    fs::remove_file(tree.join("exec"))?;
    for name in ["old/deep/x", "uploads/kept", "old.pyc", ".fabrs.0123456789abcdef/x"] {
        fs::create_dir_all(target.join(name).parent().expect("it is below"))?;
        fs::write(target.join(name), "there")?;
    }
    // The directories belong to another user than the login.
    for folder in ["old", "old/deep"] {
        fs::set_permissions(target.join(folder), fs::Permissions::from_mode(0o777))?;
    }
    let refused_change = refused(soon(sync()).await, ErrorKind::File);
    assert!(block(&refused_change).contains("becomes a file is a directory"), "{}", block(&refused_change));
    assert_eq!(text(target.join("in/x")), "in/x", "nothing is put");
    let delete = || sync().delete().protect("/uploads").exclude("*.pyc");
    let changes = soon(delete()).await?;
    let written = ["becomes a file", "becomes a folder/x", "becomes a link", "in/x", "link"];
    assert_eq!(below(&changes.changed()?, &target), written);
    assert_eq!(below(&changes.removed()?, &target), ["becomes a file", "exec", "old"]);
    for kept in ["uploads/kept", "old.pyc", ".fabrs.0123456789abcdef/x"] {
        assert_eq!(text(target.join(kept)), "there");
        fs::remove_file(target.join(kept))?;
    }
    fs::remove_dir(target.join("uploads"))?;
    fs::remove_dir(target.join(".fabrs.0123456789abcdef"))?;
    assert_eq!(entries(&target), entries(&tree));
    assert_eq!(fs::metadata(target.join("same"))?.ino(), untouched);
    assert!(!soon(delete()).await?.any()?);
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_and_modes_are_changed_without_sending_the_content_and_a_checksum_finds_what_they_hide() -> Result {
    let lab = Lab::new();
    for name in ["time", "mode", "hidden", "large"] {
        lab.file(&format!("tree/{name}"), if name == "large" { "x".repeat(9 << 20) } else { name.to_owned() });
    }
    let (tree, target) = (lab.here.path().join("tree"), lab.there("tree"));
    let sync = || lab.host.sync(&tree, target.display().to_string());
    soon(sync()).await?;
    assert_eq!(entries(&target), entries(&tree), "a large file has its time too");
    let inode = |name: &str| fs::metadata(target.join(name)).map(|meta| meta.ino());
    let before = (inode("time")?, inode("mode")?);
    fs::File::open(tree.join("time"))?.set_modified(std::time::UNIX_EPOCH + secs(1_000_000_000))?;
    fs::set_permissions(tree.join("mode"), fs::Permissions::from_mode(0o600))?;
    assert_eq!(below(&soon(sync()).await?.changed()?, &target), ["mode"], "since when it is so is no change");
    assert_eq!((inode("time")?, inode("mode")?), before, "they were not sent");
    assert_eq!(entries(&target), entries(&tree));

    let time = fs::metadata(tree.join("hidden"))?.modified()?;
    fs::write(tree.join("hidden"), "HIDDEN")?;
    fs::File::open(tree.join("hidden"))?.set_modified(time)?;
    assert!(!soon(sync()).await?.any()?, "size and time are the same");
    assert_eq!(below(&soon(sync().checksum()).await?.changed()?, &target), ["hidden"]);
    assert_eq!(text(target.join("hidden")), "HIDDEN");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_lists_what_would_become_another_and_changes_nothing() -> Result {
    let lab = Lab::new();
    for name in ["new/x", "longer", "mode", "was a folder"] {
        lab.file(&format!("tree/{name}"), name);
    }
    let (tree, target) = (lab.here.path().join("tree"), lab.there("tree"));
    symlink("x", tree.join("link"))?;
    let (seen, sink) = capture();
    let client = super::differences::planning(&lab.sshd).sink(sink).build();
    let host = client.connect(lab.sshd.alias())?;
    let sync = || host.sync(&tree, target.display().to_string()).delete();
    soon(sync()).await?;
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
    let planned: Changes = soon(sync()).await?;
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
async fn what_would_remove_everything_is_refused() -> Result {
    let lab = Lab::new();
    lab.file("tree/a", "a");
    fs::create_dir(lab.here.path().join("empty"))?;
    let tree = lab.here.path().join("tree");
    for target in ["/", "~", "~/", "", ".", "./"] {
        let error = refused(soon(lab.host.sync(&tree, target).delete()).await, ErrorKind::Usage);
        assert!(block(&error).contains("could be removed"), "{target}: {}", block(&error));
    }
    let target = lab.there("tree");
    fs::create_dir(&target)?;
    fs::write(target.join("x"), "x")?;
    let nothing = lab.host.sync(lab.here.path().join("empty"), target.display().to_string()).delete();
    assert!(block(&refused(soon(nothing).await, ErrorKind::Usage)).contains("nothing is in"));
    let missing = refused(soon(lab.host.sync(lab.here.path().join("none"), "x")).await, ErrorKind::Local);
    assert!(block(&missing).contains("is not a local directory"));
    assert_eq!(text(target.join("x")), "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_syncs_by_sudo_and_a_host_without_a_shell_is_named() -> Result {
    let sftp = super::without_a_shell::lab();
    sftp.file("tree/a", "a");
    let error = refused(
        soon(sftp.host.sync(sftp.here.path().join("tree"), sftp.there("x").display().to_string())).await,
        ErrorKind::File,
    );
    assert!(block(&error).contains("a sync needs one"), "{}", block(&error));
    let Some(lab) = crate::sudo::Lab::with_password(Account::Sudo) else { return Ok(()) };
    let there = tempfile::tempdir()?;
    let target = there.path().join("tree");
    let host = lab.host();
    let sync =
        || host.sync(sftp.here.path().join("tree"), target.display().to_string()).sudo().owner("nobody").delete();
    assert!(soon(sync()).await?.any()?);
    assert_eq!((text(target.join("a")), fs::metadata(target.join("a"))?.uid()), ("a".to_owned(), 65534));
    assert!(!soon(sync()).await?.any()?);
    host.close().await;
    Ok(())
}
