//! Targets of trees: setgid directories, mounts, symlinks, read-only directories, and leftovers of
//! killed transfers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::{Account, BindMount, Capability, Sshd};

use super::trees::fixture_with_programs;
use super::{FileFixture, mode, text, walk};
use crate::support::{error_text, expect_error, within_limit};

/// A group without the login as a member.
const FOREIGN_ID: u32 = 65534;

fn make_directory(folder: &Path, mode: u32) {
    fs::create_dir_all(folder).expect("the directory is ours");
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("the directory is ours");
}

fn gid(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("the file exists").gid()
}

/// Returns hosts for each implementation of tree uploads.
fn fixtures() -> Vec<FileFixture> {
    vec![
        FileFixture::new(),
        fixture_with_programs(&["tar", "sha256sum"], true),
        fixture_with_programs(&["tar", "sha256sum", "grep", "cp", "rmdir"], false),
        super::sftp::fixture(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_entries_in_a_setgid_directory_inherit_its_group() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for fixture in fixtures() {
        let target = fixture.remote("tree");
        for folder in [&target, &target.join("gives")] {
            make_directory(folder, 0o777);
            chown(folder, None, Some(FOREIGN_ID))?;
            make_directory(folder, 0o2777);
        }
        make_directory(&target.join("gives not"), 0o777);
        for name in ["x", "new/deep/er/x", "gives/x", "gives not/x", "gives not/new/x"] {
            fixture.file(&format!("tree/{name}"), name);
        }
        fs::create_dir_all(fixture.local.path().join("tree/none"))?;
        let put = || fixture.host.put(fixture.local.path().join("tree"), target.display().to_string());
        within_limit(put()).await?;
        for name in ["x", "new", "new/deep", "new/deep/er", "new/deep/er/x", "none", "gives/x"] {
            assert_eq!(gid(target.join(name)), FOREIGN_ID, "{name}");
        }
        for name in ["new", "new/deep", "new/deep/er", "none"] {
            assert_eq!(mode(&target.join(name)) & 0o2777, 0o2755, "{name}");
        }
        for name in ["gives not/x", "gives not/new", "gives not/new/x"] {
            assert_ne!(gid(target.join(name)), FOREIGN_ID, "{name}");
        }
        assert_eq!(mode(&target.join("gives not/new")), 0o755);
        assert!(!within_limit(put()).await?.any()?);
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_into_a_setgid_directory_is_idempotent() -> Result {
    let fixture = FileFixture::new();
    fixture.file("tree/in/x", "x");
    let target = fixture.remote("tree");
    make_directory(&target, 0o2777);
    let sync = || fixture.host.sync(fixture.local.path().join("tree"), target.display().to_string());
    assert!(within_limit(sync()).await?.any()?);
    assert_eq!((mode(&target), mode(&target.join("in"))), (0o2777, 0o2755));
    assert!(!within_limit(sync()).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_upload_crosses_bind_mounts() -> Result {
    for fixture in fixtures() {
        let (target, behind) = (fixture.remote("tree"), fixture.remote("behind"));
        for folder in [&target, &behind, &target.join("mount"), &target.join("in")] {
            make_directory(folder, 0o777);
        }
        let Some(_mount) = BindMount::mount(&behind, &target.join("mount")) else { return Ok(()) };
        let put = || fixture.host.put(fixture.local.path().join("tree"), target.display().to_string());
        for content in ["old", "new"] {
            for name in ["x", "in/x", "mount/x", "mount/new/x", "mount/new/y"] {
                fixture.file(&format!("tree/{name}"), format!("{content} {name}"));
            }
            assert_eq!(within_limit(put()).await?.changed()?.len(), 5);
            for name in ["x", "new/x", "new/y"] {
                assert_eq!(text(behind.join(name)), format!("{content} mount/{name}"));
            }
            assert!(!within_limit(put()).await?.any()?);
        }
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_replaces_a_symlink_and_keeps_its_target() -> Result {
    let fixture = FileFixture::new();
    let large = vec![b'x'; 9 << 20];
    for name in ["f", "large", "small", "odd\nname"] {
        fixture.file(&format!("tree/{name}"), if name == "large" { &large } else { &b"new"[..] });
    }
    let target = fixture.remote("tree");
    make_directory(&target, 0o777);
    fs::write(fixture.remote("secret"), "secret")?;
    make_directory(&fixture.remote("folder"), 0o777);
    for (name, to) in [("f", "../folder"), ("large", "../secret"), ("small", "nowhere"), ("odd\nname", "../secret")] {
        symlink(to, target.join(name))?;
    }
    let sync = || fixture.host.sync(fixture.local.path().join("tree"), target.display().to_string());
    assert_eq!(within_limit(sync()).await?.changed()?.len(), 4);
    assert!(fs::read(target.join("large"))? == large);
    for name in ["f", "small", "odd\nname"] {
        assert!(!target.join(name).is_symlink());
        assert_eq!(text(target.join(name)), "new");
    }
    assert_eq!((text(fixture.remote("secret")).as_str(), walk(&fixture.remote("folder")).len()), ("secret", 0));
    assert!(!within_limit(sync()).await?.any()?);
    // A sync also sets the time of a large file. The time alone is not reported as a change.
    let time = std::time::UNIX_EPOCH + secs(1_000_000_000);
    fs::File::open(fixture.local.path().join("tree/large"))?.set_modified(time)?;
    assert!(!within_limit(sync()).await?.any()?);
    assert_eq!(fs::metadata(target.join("large"))?.modified()?, time);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_makes_read_only_directories_writable_and_restores_their_mode() -> Result {
    for fixture in [FileFixture::new(), fixture_with_programs(&["tar", "sha256sum"], true)] {
        for name in ["shut/x", "shut/deep/x", "shuts/x"] {
            fixture.file(&format!("tree/{name}"), name);
        }
        let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
        let chmod = |name: &str, mode| fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode));
        for name in ["shut/deep", "shut"] {
            chmod(name, 0o555)?;
        }
        let sync = || fixture.host.sync(&tree, target.display().to_string()).delete();
        within_limit(sync()).await?;
        assert_eq!((mode(&target.join("shut")), mode(&target.join("shut/deep"))), (0o555, 0o555));
        for name in ["shut", "shut/deep"] {
            chmod(name, 0o755)?;
        }
        fixture.file("tree/shut/x", "another");
        fixture.file("tree/shut/deep/new", "new");
        for name in ["shut/deep", "shut", "shuts"] {
            chmod(name, 0o555)?;
        }
        assert_eq!(within_limit(sync()).await?.changed()?.len(), 2);
        assert_eq!((text(target.join("shut/x")).as_str(), mode(&target.join("shut"))), ("another", 0o555));
        assert_eq!((text(target.join("shut/deep/new")).as_str(), mode(&target.join("shuts"))), ("new", 0o555));
        assert!(!within_limit(sync()).await?.any()?);
        for name in ["shut/deep", "shut"] {
            chmod(name, 0o755)?;
        }
        fs::remove_dir_all(tree.join("shut"))?;
        assert_eq!(within_limit(sync()).await?.removed()?.len(), 1);
        assert!(!target.join("shut").exists());
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleting_sync_refuses_the_root_and_the_home_under_any_name() -> Result {
    let fixture = FileFixture::new();
    fixture.file("tree/a", "a");
    let home = fixture.host.probe("pwd -P").line().await?;
    symlink("/", fixture.remote("to the root"))?;
    let names =
        ["/.", "/../", "~/.", "/usr/..", &format!("{home}/."), &fixture.remote("to the root").display().to_string()]
            .map(str::to_owned);
    for target in names {
        let sync = fixture.host.sync(fixture.local.path().join("tree"), target.clone()).delete();
        let error = expect_error(within_limit(sync).await, ErrorKind::File);
        assert!(error_text(&error).contains("refusing to delete"), "{target}: {}", error_text(&error));
    }
    let sync = fixture.host.cd("/").sync(fixture.local.path().join("tree"), ".").delete();
    assert!(error_text(&expect_error(within_limit(sync).await, ErrorKind::File)).contains("refusing to delete"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leftovers_of_killed_transfers_are_removed_after_a_day_and_newer_files_stay() -> Result {
    for fixture in [FileFixture::new(), fixture_with_programs(&["tar", "sha256sum"], true)] {
        let folder = fixture.open_folder();
        for name in [".fabrs.0123456789abcdef", ".fabrs.1123456789abcdef", ".fabrs.2123456789abcdef"] {
            let path = folder.join(name).display().to_string();
            fixture.host.run(cmd!("mkdir -m 700 {path} && echo half >{path}/f")).await?;
        }
        fs::create_dir(folder.join(".fabrs.3123456789abcdef"))?;
        // A user may have files with similar names. They must stay.
        for name in [".fabrs.d", ".fabrs.0123456789abcdeX"] {
            let path = folder.join(name).display().to_string();
            fixture.host.run(cmd!("mkdir {path}")).await?;
        }
        fixture.host.write(folder.join(".fabrs.toml").display().to_string(), "x").await?;
        let long_ago = std::time::SystemTime::now() - secs(25 * 3600);
        for name in [
            ".fabrs.0123456789abcdef/f",
            ".fabrs.0123456789abcdef",
            ".fabrs.1123456789abcdef",
            ".fabrs.3123456789abcdef",
            ".fabrs.d",
            ".fabrs.toml",
            ".fabrs.0123456789abcdeX",
        ] {
            fs::File::open(folder.join(name))?.set_modified(long_ago)?;
        }
        let stays = |names: &[&str]| {
            let mut there: Vec<_> = fs::read_dir(&folder)
                .expect("the directory is ours")
                .flatten()
                .map(|entry| entry.file_name())
                .collect();
            there.sort();
            there.retain(|name| {
                ![".fabrs.d", ".fabrs.toml", ".fabrs.0123456789abcdeX"].contains(&&*name.to_string_lossy())
            });
            assert_eq!(there, names);
            assert_eq!(
                there.len() + 3,
                fs::read_dir(&folder).expect("the directory is ours").count(),
                "the user's files stay"
            );
        };
        fixture.host.put(b"x", folder.join("x").display().to_string()).await?;
        stays(&[".fabrs.1123456789abcdef", ".fabrs.2123456789abcdef", ".fabrs.3123456789abcdef", "x"]);
        fs::File::open(folder.join(".fabrs.1123456789abcdef/f"))?.set_modified(long_ago)?;
        for name in ["a", "b"] {
            fixture.file(&format!("tree/{name}"), name);
        }
        fixture.host.put(fixture.local.path().join("tree"), folder.display().to_string()).await?;
        stays(&[".fabrs.2123456789abcdef", ".fabrs.3123456789abcdef", "a", "b", "x"]);
    }
    Ok(())
}

/// Returns a host with a root login. `swaps` runs during the upload of a tree, in the place of
/// `tar`.
fn root_fixture(swaps: &str) -> FileFixture {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    let tar = format!("#!/bin/sh\n{swaps}\nexec {} \"$@\"\n", super::trees::which("tar").display());
    fs::write(place.join("tar"), tar).expect("the directory is ours");
    fs::set_permissions(place.join("tar"), fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    let path = format!("PATH={}:/usr/bin:/bin", place.display());
    FileFixture {
        programs: Some(place),
        ..FileFixture::of(Sshd::builder().users([Account::Root]).option("SetEnv", path).start())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_changes_no_file_behind_a_swapped_directory() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let outside = tempfile::tempdir()?;
    for name in ["victim", "x", "y"] {
        fs::write(outside.path().join(name), "outside")?;
    }
    let before = mode(outside.path());
    // The client runs the program once for its detection. The first run swaps nothing.
    let swap = format!("[ -d ../in ] && mv ../in ../away && ln -s {} ../in", outside.path().display());
    let fixture = root_fixture(&swap);
    let target = fixture.remote("tree");
    for name in ["in/victim", "in/x", "in/y"] {
        fs::create_dir_all(target.join("in"))?;
        fs::write(target.join(name), "there")?;
    }
    for path in [target.clone(), target.join("in")] {
        chown(path, Some(FOREIGN_ID), Some(FOREIGN_ID))?;
    }
    fixture.file("tree/in/x", "new");
    fixture.file("tree/in/y", "newer");
    fs::set_permissions(fixture.local.path().join("tree/in"), fs::Permissions::from_mode(0o700))?;
    let sync = || fixture.host.sync(fixture.local.path().join("tree"), target.display().to_string()).delete();
    let error = expect_error(within_limit(sync()).await, ErrorKind::File);
    assert!(error_text(&error).contains("in was moved"), "{}", error_text(&error));
    for name in ["victim", "x", "y"] {
        assert_eq!(text(outside.path().join(name)), "outside");
    }
    assert_eq!(mode(outside.path()), before);
    assert_eq!(walk(&target).len(), 4, "the files of the folder, and the symlink");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_syncs_into_directories_of_other_users() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = root_fixture("");
    let target = fixture.remote("tree");
    for name in ["a", "in/x", "in/deep/y", "in/a folder now/z", "in/a file now"] {
        fixture.file(&format!("tree/{name}"), name);
    }
    fs::create_dir_all(target.join("in/old/er"))?;
    fs::create_dir_all(target.join("in/a file now/y"))?;
    fs::write(target.join("in/a folder now"), "a file")?;
    for path in [target.clone(), target.join("in")] {
        chown(path, Some(FOREIGN_ID), Some(FOREIGN_ID))?;
    }
    let sync = || fixture.host.sync(fixture.local.path().join("tree"), target.display().to_string()).delete();
    let changes = within_limit(sync()).await?;
    assert_eq!((changes.changed()?.len(), changes.removed()?.len()), (5, 2), "{changes:?}");
    assert_eq!(super::random_trees::entries(&target), super::random_trees::entries(&fixture.local.path().join("tree")));
    fs::set_permissions(fixture.local.path().join("tree/in"), fs::Permissions::from_mode(0o711))?;
    fs::set_permissions(fixture.local.path().join("tree/in/x"), fs::Permissions::from_mode(0o600))?;
    assert!(within_limit(sync()).await?.any()?);
    assert_eq!((mode(&target.join("in")), mode(&target.join("in/x"))), (0o711, 0o600));
    assert!(!within_limit(sync()).await?.any()?);
    fixture.assert_no_leftovers();
    Ok(())
}
