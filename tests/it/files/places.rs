//! Targets of trees: setgid directories, mounts, symlinks, read-only directories, and leftovers of
//! killed transfers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::{Account, BindMount, Capability, Sshd};

use super::trees::lab_with;
use super::{Lab, mode, text, walk};
use crate::support::{block, refused, soon};

/// A group without the login as a member.
const OTHERS: u32 = 65534;

fn writable(folder: &Path, mode: u32) {
    fs::create_dir_all(folder).expect("it is ours");
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn gid(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("it is there").gid()
}

/// Returns hosts for each implementation of tree uploads.
fn labs() -> Vec<Lab> {
    vec![
        Lab::new(),
        lab_with(&["tar", "sha256sum"], true),
        lab_with(&["tar", "sha256sum", "grep", "cp", "rmdir"], false),
        super::without_a_shell::lab(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_new_in_a_folder_that_gives_its_group_away_gets_it() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for lab in labs() {
        let target = lab.there("tree");
        for folder in [&target, &target.join("gives")] {
            writable(folder, 0o777);
            chown(folder, None, Some(OTHERS))?;
            writable(folder, 0o2777);
        }
        writable(&target.join("gives not"), 0o777);
        for name in ["x", "new/deep/er/x", "gives/x", "gives not/x", "gives not/new/x"] {
            lab.file(&format!("tree/{name}"), name);
        }
        fs::create_dir_all(lab.here.path().join("tree/none"))?;
        let put = || lab.host.put(lab.here.path().join("tree"), target.display().to_string());
        soon(put()).await?;
        for name in ["x", "new", "new/deep", "new/deep/er", "new/deep/er/x", "none", "gives/x"] {
            assert_eq!(gid(target.join(name)), OTHERS, "{name}");
        }
        for name in ["new", "new/deep", "new/deep/er", "none"] {
            assert_eq!(mode(&target.join(name)) & 0o2777, 0o2755, "{name}");
        }
        for name in ["gives not/x", "gives not/new", "gives not/new/x"] {
            assert_ne!(gid(target.join(name)), OTHERS, "{name}");
        }
        assert_eq!(mode(&target.join("gives not/new")), 0o755);
        assert!(!soon(put()).await?.any()?);
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_below_a_folder_that_gives_its_group_away_comes_to_its_end() -> Result {
    let lab = Lab::new();
    lab.file("tree/in/x", "x");
    let target = lab.there("tree");
    writable(&target, 0o2777);
    let sync = || lab.host.sync(lab.here.path().join("tree"), target.display().to_string());
    assert!(soon(sync()).await?.any()?);
    assert_eq!((mode(&target), mode(&target.join("in"))), (0o2777, 0o2755));
    assert!(!soon(sync()).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_goes_over_mounts_of_one_disk() -> Result {
    for lab in labs() {
        let (target, behind) = (lab.there("tree"), lab.there("behind"));
        for folder in [&target, &behind, &target.join("mount"), &target.join("in")] {
            writable(folder, 0o777);
        }
        let Some(_mount) = BindMount::mount(&behind, &target.join("mount")) else { return Ok(()) };
        let put = || lab.host.put(lab.here.path().join("tree"), target.display().to_string());
        for content in ["old", "new"] {
            for name in ["x", "in/x", "mount/x", "mount/new/x", "mount/new/y"] {
                lab.file(&format!("tree/{name}"), format!("{content} {name}"));
            }
            assert_eq!(soon(put()).await?.changed()?.len(), 5);
            for name in ["x", "new/x", "new/y"] {
                assert_eq!(text(behind.join(name)), format!("{content} mount/{name}"));
            }
            assert!(!soon(put()).await?.any()?);
        }
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_replaces_a_symlink_and_not_what_it_leads_to() -> Result {
    let lab = Lab::new();
    let large = vec![b'x'; 9 << 20];
    for name in ["f", "large", "small", "odd\nname"] {
        lab.file(&format!("tree/{name}"), if name == "large" { &large } else { &b"new"[..] });
    }
    let target = lab.there("tree");
    writable(&target, 0o777);
    fs::write(lab.there("secret"), "secret")?;
    writable(&lab.there("folder"), 0o777);
    for (name, to) in [("f", "../folder"), ("large", "../secret"), ("small", "nowhere"), ("odd\nname", "../secret")] {
        symlink(to, target.join(name))?;
    }
    let sync = || lab.host.sync(lab.here.path().join("tree"), target.display().to_string());
    assert_eq!(soon(sync()).await?.changed()?.len(), 4);
    assert!(fs::read(target.join("large"))? == large);
    for name in ["f", "small", "odd\nname"] {
        assert!(!target.join(name).is_symlink());
        assert_eq!(text(target.join(name)), "new");
    }
    assert_eq!((text(lab.there("secret")).as_str(), walk(&lab.there("folder")).len()), ("secret", 0));
    assert!(!soon(sync()).await?.any()?);
    // A sync also sets the time of a large file. The time alone is not reported as a change.
    let time = std::time::UNIX_EPOCH + secs(1_000_000_000);
    fs::File::open(lab.here.path().join("tree/large"))?.set_modified(time)?;
    assert!(!soon(sync()).await?.any()?);
    assert_eq!(fs::metadata(target.join("large"))?.modified()?, time);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_may_not_be_written_to_are_opened_for_a_sync_and_closed_again() -> Result {
    for lab in [Lab::new(), lab_with(&["tar", "sha256sum"], true)] {
        for name in ["shut/x", "shut/deep/x", "shuts/x"] {
            lab.file(&format!("tree/{name}"), name);
        }
        let (tree, target) = (lab.here.path().join("tree"), lab.there("tree"));
        let chmod = |name: &str, mode| fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode));
        for name in ["shut/deep", "shut"] {
            chmod(name, 0o555)?;
        }
        let sync = || lab.host.sync(&tree, target.display().to_string()).delete();
        soon(sync()).await?;
        assert_eq!((mode(&target.join("shut")), mode(&target.join("shut/deep"))), (0o555, 0o555));
        for name in ["shut", "shut/deep"] {
            chmod(name, 0o755)?;
        }
        lab.file("tree/shut/x", "another");
        lab.file("tree/shut/deep/new", "new");
        for name in ["shut/deep", "shut", "shuts"] {
            chmod(name, 0o555)?;
        }
        assert_eq!(soon(sync()).await?.changed()?.len(), 2);
        assert_eq!((text(target.join("shut/x")).as_str(), mode(&target.join("shut"))), ("another", 0o555));
        assert_eq!((text(target.join("shut/deep/new")).as_str(), mode(&target.join("shuts"))), ("new", 0o555));
        assert!(!soon(sync()).await?.any()?);
        for name in ["shut/deep", "shut"] {
            chmod(name, 0o755)?;
        }
        fs::remove_dir_all(tree.join("shut"))?;
        assert_eq!(soon(sync()).await?.removed()?.len(), 1);
        assert!(!target.join("shut").exists());
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed_from_the_root_or_the_home_whatever_they_are_called() -> Result {
    let lab = Lab::new();
    lab.file("tree/a", "a");
    let home = lab.host.probe("pwd -P").line().await?;
    symlink("/", lab.there("to the root"))?;
    let names = ["/.", "/../", "~/.", "/usr/..", &format!("{home}/."), &lab.there("to the root").display().to_string()]
        .map(str::to_owned);
    for target in names {
        let sync = lab.host.sync(lab.here.path().join("tree"), target.clone()).delete();
        let error = refused(soon(sync).await, ErrorKind::File);
        assert!(block(&error).contains("could be removed"), "{target}: {}", block(&error));
    }
    let sync = lab.host.cd("/").sync(lab.here.path().join("tree"), ".").delete();
    assert!(block(&refused(soon(sync).await, ErrorKind::File)).contains("could be removed"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_transfer_left_is_removed_a_day_later_and_what_is_on_its_way_stays() -> Result {
    for lab in [Lab::new(), lab_with(&["tar", "sha256sum"], true)] {
        let folder = lab.open_folder();
        for name in [".fabrs.0123456789abcdef", ".fabrs.1123456789abcdef", ".fabrs.2123456789abcdef"] {
            let path = folder.join(name).display().to_string();
            lab.host.run(cmd!("mkdir -m 700 {path} && echo half >{path}/f")).await?;
        }
        fs::create_dir(folder.join(".fabrs.3123456789abcdef"))?;
        // A user may have files with similar names. They must stay.
        for name in [".fabrs.d", ".fabrs.0123456789abcdeX"] {
            let path = folder.join(name).display().to_string();
            lab.host.run(cmd!("mkdir {path}")).await?;
        }
        lab.host.write(folder.join(".fabrs.toml").display().to_string(), "x").await?;
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
            let mut there: Vec<_> =
                fs::read_dir(&folder).expect("it is ours").flatten().map(|entry| entry.file_name()).collect();
            there.sort();
            there.retain(|name| {
                ![".fabrs.d", ".fabrs.toml", ".fabrs.0123456789abcdeX"].contains(&&*name.to_string_lossy())
            });
            assert_eq!(there, names);
            assert_eq!(there.len() + 3, fs::read_dir(&folder).expect("it is ours").count(), "what is the user's stays");
        };
        lab.host.put(b"x", folder.join("x").display().to_string()).await?;
        stays(&[".fabrs.1123456789abcdef", ".fabrs.2123456789abcdef", ".fabrs.3123456789abcdef", "x"]);
        fs::File::open(folder.join(".fabrs.1123456789abcdef/f"))?.set_modified(long_ago)?;
        for name in ["a", "b"] {
            lab.file(&format!("tree/{name}"), name);
        }
        lab.host.put(lab.here.path().join("tree"), folder.display().to_string()).await?;
        stays(&[".fabrs.2123456789abcdef", ".fabrs.3123456789abcdef", "a", "b", "x"]);
    }
    Ok(())
}

/// Returns a host with a root login. `swaps` runs during the upload of a tree, in the place of
/// `tar`.
fn lab_of_root(swaps: &str) -> Lab {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    let tar = format!("#!/bin/sh\n{swaps}\nexec {} \"$@\"\n", super::trees::which("tar").display());
    fs::write(place.join("tar"), tar).expect("it is ours");
    fs::set_permissions(place.join("tar"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("PATH={}:/usr/bin:/bin", place.display());
    Lab { programs: Some(place), ..Lab::of(Sshd::builder().users([Account::Root]).option("SetEnv", path).start()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_writes_and_removes_nothing_behind_a_folder_that_its_owner_has_swapped() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let outside = tempfile::tempdir()?;
    for name in ["victim", "x", "y"] {
        fs::write(outside.path().join(name), "outside")?;
    }
    let before = mode(outside.path());
    // The client runs the program once to detect it. That first run swaps nothing.
    let swap = format!("[ -d ../in ] && mv ../in ../away && ln -s {} ../in", outside.path().display());
    let lab = lab_of_root(&swap);
    let target = lab.there("tree");
    for name in ["in/victim", "in/x", "in/y"] {
        fs::create_dir_all(target.join("in"))?;
        fs::write(target.join(name), "there")?;
    }
    for path in [target.clone(), target.join("in")] {
        chown(path, Some(OTHERS), Some(OTHERS))?;
    }
    lab.file("tree/in/x", "new");
    lab.file("tree/in/y", "newer");
    fs::set_permissions(lab.here.path().join("tree/in"), fs::Permissions::from_mode(0o700))?;
    let sync = || lab.host.sync(lab.here.path().join("tree"), target.display().to_string()).delete();
    let error = refused(soon(sync()).await, ErrorKind::File);
    assert!(block(&error).contains("in was moved"), "{}", block(&error));
    for name in ["victim", "x", "y"] {
        assert_eq!(text(outside.path().join(name)), "outside");
    }
    assert_eq!(mode(outside.path()), before);
    assert_eq!(walk(&target).len(), 4, "the files of the folder, and the symlink");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_syncs_in_folders_of_others_as_it_does_in_its_own() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = lab_of_root("");
    let target = lab.there("tree");
    for name in ["a", "in/x", "in/deep/y", "in/a folder now/z", "in/a file now"] {
        lab.file(&format!("tree/{name}"), name);
    }
    fs::create_dir_all(target.join("in/old/er"))?;
    fs::create_dir_all(target.join("in/a file now/y"))?;
    fs::write(target.join("in/a folder now"), "a file")?;
    for path in [target.clone(), target.join("in")] {
        chown(path, Some(OTHERS), Some(OTHERS))?;
    }
    let sync = || lab.host.sync(lab.here.path().join("tree"), target.display().to_string()).delete();
    let changes = soon(sync()).await?;
    assert_eq!((changes.changed()?.len(), changes.removed()?.len()), (5, 2), "{changes:?}");
    assert_eq!(super::chance::entries(&target), super::chance::entries(&lab.here.path().join("tree")));
    fs::set_permissions(lab.here.path().join("tree/in"), fs::Permissions::from_mode(0o711))?;
    fs::set_permissions(lab.here.path().join("tree/in/x"), fs::Permissions::from_mode(0o600))?;
    assert!(soon(sync()).await?.any()?);
    assert_eq!((mode(&target.join("in")), mode(&target.join("in/x"))), (0o711, 0o600));
    assert!(!soon(sync()).await?.any()?);
    lab.assert_nothing_is_left();
    Ok(())
}
