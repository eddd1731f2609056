//! Uploads by SFTP: the targets of files, their modes, and the files that are sent at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::super::{Lab, mode, text, walk};
use super::{files_only, kinds, lab};
use crate::support::{block, refused, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_lands_with_its_mode_and_is_not_sent_again() -> Result {
    for (kind, server) in kinds() {
        let lab = Lab::of(server.start());
        let (file, target) = (lab.file("app.conf", "workers = 4\n"), lab.there("app.conf"));
        let put = || lab.host.put(&file, target.display().to_string());
        assert!(soon(put().mode(0o640)).await?.any()?, "{kind}");
        assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 4\n", 0o640), "{kind}");
        let inode = fs::metadata(&target)?.ino();
        let changes = put().mode(0o640).await?;
        assert_eq!((changes.any()?, changes.files()?), (false, vec![target.to_str().expect("UTF-8")]), "{kind}");
        assert_eq!(fs::metadata(&target)?.ino(), inode, "{kind}: it was not touched");
        assert!(put().mode(0o600).await?.any()?, "{kind}: a mode is a change too");
        assert_eq!((mode(&target), fs::metadata(&target)?.ino()), (0o600, inode), "{kind}");
        lab.file("app.conf", "workers = 5\n");
        assert_eq!(put().await?.changed()?, [target.to_str().expect("UTF-8")], "{kind}");
        assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 5\n", 0o600), "{kind}: it keeps its mode");
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_target_is_below_the_directory_and_the_home_is_a_tilde() -> Result {
    let lab = lab();
    let file = lab.file("own name", "x");
    fs::create_dir(lab.there("with blank"))?;
    fs::set_permissions(lab.there("with blank"), fs::Permissions::from_mode(0o777))?;
    let there = lab.host.cd(lab.there("with blank").display().to_string());
    there.put(&file, "it's here").await?;
    there.put(&file, "").await?;
    there.put(&file, lab.there("absolute").display().to_string()).await?;
    assert_eq!(text(lab.there("with blank/it's here")), "x");
    assert_eq!(text(lab.there("with blank/own name")), "x");
    assert_eq!(text(lab.there("absolute")), "x");
    for target in [lab.sshd.scratch().display().to_string(), format!("{}/", lab.sshd.scratch().display())] {
        lab.host.put(&file, target).await?;
        assert_eq!(text(lab.there("own name")), "x");
    }
    let name = format!("fabrs-home-{}", std::process::id());
    let changes = lab.host.put(&file, format!("~/{name}")).await?;
    let home = changes.files()?.first().map(std::path::PathBuf::from).expect("one file was put");
    assert!(home.is_absolute() && text(&home) == "x", "{}", home.display());
    assert!(!lab.host.put(&file, name).await?.any()?, "it is the same place");
    fs::remove_file(home)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_and_patterns_arrive_with_all_that_is_in_them() -> Result {
    let lab = lab();
    for name in ["site/index.html", "site/css/a.css", "site/css/b c.css", "site/css/deep/d.css"] {
        lab.file(name, name);
    }
    let (site, target) = (lab.here.path().join("site"), lab.there("new/www"));
    assert_eq!(lab.host.put(&site, target.display().to_string()).await?.changed()?.len(), 4);
    let names: Vec<_> = walk(&target).iter().map(|path| path.strip_prefix(&target).map(ToOwned::to_owned)).collect();
    let expected = ["css/a.css", "css/b c.css", "css/deep/d.css", "index.html"].map(|name| Ok(name.into()));
    assert_eq!(names, expected);
    assert_eq!(mode(&target), 0o755);
    lab.file("site/css/a.css", "changed");
    let changes = lab.host.put(&site, target.display().to_string()).await?;
    assert_eq!(changes.changed()?, [target.join("css/a.css").to_str().expect("UTF-8")], "only what differs is sent");
    lab.host.put(site.join("css/*.css"), lab.there("styles").display().to_string()).await?;
    assert_eq!(walk(&lab.there("styles")).len(), 2);
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_symlink_leads_to_is_replaced_and_the_symlink_stays() -> Result {
    let lab = lab();
    let (file, folder) = (lab.file("x", "new"), lab.open_folder());
    let (real, link) = (folder.join("real"), lab.there("link"));
    fs::write(&real, "old")?;
    fs::set_permissions(&real, fs::Permissions::from_mode(0o666))?;
    symlink("open/by", &link)?;
    symlink(&real, folder.join("by"))?;
    let changes = lab.host.put(&file, link.display().to_string()).await?;
    assert_eq!(changes.changed()?, [real.to_str().expect("UTF-8")]);
    assert!(fs::symlink_metadata(&link)?.is_symlink() && fs::symlink_metadata(folder.join("by"))?.is_symlink());
    assert_eq!((text(&real).as_str(), mode(&real)), ("new", 0o666));
    fs::remove_file(&real)?;
    lab.host.put(&file, link.display().to_string()).await?;
    assert_eq!(text(&real), "new", "also where it is not there yet");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_put_says_why_and_leaves_the_old_file() -> Result {
    let lab = lab();
    let (file, target) = (lab.file("x", "new"), lab.there("folder/x"));
    let put = |target: String| lab.host.put(&file, target);
    let missing = refused(put(target.display().to_string()).await, ErrorKind::File);
    let shown = block(&missing);
    let no_folder = format!("caused by: no such directory: {}", lab.there("folder").display());
    assert!(shown.contains(&no_folder) && shown.contains("host: could not put"), "{shown}");

    fs::create_dir(lab.there("folder"))?;
    fs::write(&target, "old")?;
    fs::create_dir_all(lab.there("folder/is a directory/x"))?;
    let folder = refused(put(lab.there("folder/is a directory").display().to_string()).await, ErrorKind::File);
    assert!(block(&folder).contains("x is a folder"), "{folder:?}");
    let below = refused(put(target.join("x").display().to_string()).await, ErrorKind::File);
    assert!(block(&below).contains("no such directory"), "{below:?}");

    // The login may not write to this directory.
    fs::set_permissions(lab.there("folder"), fs::Permissions::from_mode(0o755))?;
    if Capability::Accounts.is_available() {
        let denied = refused(put(target.display().to_string()).await, ErrorKind::File);
        assert!(block(&denied).contains("caused by: Permission denied"), "{denied:?}");
        let made = lab.host.put(lab.here.path().to_owned(), lab.there("folder/new").display().to_string()).await;
        assert!(block(&refused(made, ErrorKind::File)).contains("Permission denied"));
    }
    let named = refused(lab.host.put(&file, "x").owner("daemon").await, ErrorKind::File);
    assert!(block(&named).contains("use the number of `daemon`"), "{named:?}");
    assert_eq!(text(&target), "old");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_given_by_number_and_kept() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = Lab::of(files_only().users([Account::Root]).start());
    let target = lab.there("x");
    let put = |content: &str| lab.host.put(content.as_bytes().to_vec(), target.display().to_string());
    let owner = || fs::metadata(&target).map(|meta| (meta.uid(), meta.gid()));
    put("one").owner("65534").group("1").await?;
    assert_eq!(owner()?, (65534, 1));
    assert!(put("two").await?.any()?);
    assert_eq!((owner()?, text(&target)), ((65534, 1), "two".to_owned()), "what is replaced keeps its owner");
    assert!(put("two").group("2").mode(0o4755).await?.any()?, "an owner is a change");
    assert_eq!((owner()?, mode(&target)), ((65534, 2), 0o4755));
    assert!(!put("two").owner("65534").group("2").mode(0o4755).await?.any()?);
    Ok(())
}
