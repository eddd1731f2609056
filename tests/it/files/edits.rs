//! Remote edits: files are inspected, read and edited in place and only once, by the shell and the
//! SFTP backend.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::UNIX_EPOCH;

use fabrs::files::FileKind;
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::{Lab, mode, text};
use crate::support::{block, capture, refused, soon};

fn both() -> [Lab; 2] {
    [Lab::new(), super::without_a_shell::lab()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_a_path_is_known() -> Result {
    for lab in both() {
        let at = |name: &str| lab.there(name).display().to_string();
        fs::write(lab.there("file"), "content")?;
        fs::set_permissions(lab.there("file"), fs::Permissions::from_mode(0o640))?;
        fs::File::open(lab.there("file"))?.set_modified(UNIX_EPOCH + secs(1_700_000_000))?;
        fs::create_dir(lab.there("folder"))?;
        symlink("folder", lab.there("link"))?;
        symlink("nowhere", lab.there("dangling"))?;
        let host = &lab.host;
        for (name, exists, is_dir, is_link) in [
            ("file", true, false, false),
            ("folder", true, true, false),
            ("link", true, true, true),
            ("dangling", false, false, true),
            ("none", false, false, false),
            ("file/below", false, false, false),
        ] {
            let found = (host.exists(at(name)).await?, host.is_dir(at(name)).await?, host.is_link(at(name)).await?);
            assert_eq!(found, (exists, is_dir, is_link), "{name}");
        }
        let stat = host.stat(at("file")).await?.expect("it is there");
        let there = fs::metadata(lab.there("file"))?;
        assert_eq!((stat.kind(), stat.mode(), stat.size()), (FileKind::File, 0o640, 7));
        assert_eq!(
            (stat.uid(), stat.gid(), stat.modified()),
            (there.uid(), there.gid(), UNIX_EPOCH + secs(1_700_000_000))
        );
        assert_eq!(host.stat(at("none")).await?, None);
        assert_eq!(host.stat("~").await?.map(|stat| stat.kind()), Some(FileKind::Directory));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_looked_into_is_an_error_and_not_nothing() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for lab in both() {
        fs::create_dir_all(lab.there("private/in"))?;
        fs::set_permissions(lab.there("private"), fs::Permissions::from_mode(0o700))?;
        let looked = soon(lab.host.exists(lab.there("private/in").display().to_string())).await;
        assert!(block(&refused(looked, ErrorKind::File)).contains("Permission denied"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_as_text_or_as_bytes() -> Result {
    for lab in both() {
        let at = |name: &str| lab.there(name).display().to_string();
        fs::write(lab.there("text"), "allow *.[x] $y\n")?;
        fs::write(lab.there("bytes"), b"caf\xe9")?;
        assert_eq!(lab.host.read(at("text")).await?, "allow *.[x] $y\n");
        assert!(lab.host.contains(at("text"), "*.[x] $y").await? && !lab.host.contains(at("text"), "a.l").await?);
        assert_eq!(lab.host.read_bytes(at("bytes")).await?, b"caf\xe9");
        let error = refused(lab.host.read(at("bytes")).await, ErrorKind::File);
        assert!(block(&error).contains("is not UTF-8"), "{}", block(&error));
        refused(lab.host.read(at("none")).await, ErrorKind::File);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_edit_is_made_once_and_keeps_the_mode() -> Result {
    for lab in both() {
        let path = lab.open_folder().join("x.conf");
        fs::write(&path, "port = 80\n    allow all;\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646))?;
        let (host, at) = (&lab.host, path.display().to_string());
        for round in 0..2 {
            let changed = [
                host.append(&at, "user = shop").await?.any()?,
                host.append(&at, ["a", "b", "a"]).await?.any()?,
                host.replace(&at, r"(?m)^port = \d+$", "port = 8080").await?.any()?,
                host.comment(&at, "allow").await?.any()?,
                host.ensure_line(&at, "user = web").matching("^user").await?.any()?,
                host.ensure_line(&at, "first").before("^port").await?.any()?,
            ];
            // The fifth edit replaced the line that the first edit had appended.
            let expected = if round == 0 { [true; 6] } else { [true, false, false, false, false, false] };
            assert_eq!(changed, expected, "round {round}");
            if round == 0 {
                assert_eq!(text(&path), "first\nport = 8080\n    # allow all;\nuser = web\na\nb\n");
            }
        }
        assert!(host.uncomment(&at, "allow").await?.any()? && text(&path).contains("\n    allow all;\n"));
        assert_eq!(mode(&path), 0o646);
        let new = path.with_file_name("new");
        host.append(new.display().to_string(), "made").await?;
        assert_eq!((text(&new), mode(&new)), ("made\n".to_owned(), 0o644));
        let missing =
            refused(host.comment(path.with_file_name("none").display().to_string(), "x").await, ErrorKind::File);
        assert!(block(&missing).contains("no such file"), "{}", block(&missing));
        let bad = refused(host.replace(&at, "(", "").await, ErrorKind::Usage);
        assert!(block(&bad).contains("invalid regular expression"), "{}", block(&bad));
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_valid_does_not_land_and_a_copy_of_the_old_file_is_kept() -> Result {
    let lab = Lab::new();
    let path = lab.open_folder().join("x.conf");
    fs::write(&path, "old\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let at = path.display().to_string();
    let put = |content: &str| {
        lab.host.put(content.as_bytes().to_vec(), &at).validate("grep -q ok %s || { echo no ok in it; false; }")
    };
    let error = refused(soon(put("bad\n")).await, ErrorKind::File);
    assert!(block(&error).contains("ended with 1: no ok in it"), "{}", block(&error));
    assert_eq!(text(&path), "old\n");
    soon(put("ok\n").backup(".bak")).await?;
    assert_eq!((text(&path).as_str(), text(path.with_file_name("x.conf.bak")).as_str()), ("ok\n", "old\n"));
    soon(lab.host.append(&at, "ok too").validate("grep -q ok %s").backup("~")).await?;
    assert_eq!(text(path.with_file_name("x.conf~")), "ok\n");
    let usage = refused(soon(lab.host.put(b"x".to_vec(), &at).validate("true")).await, ErrorKind::Usage);
    assert!(block(&usage).contains("has no `%s` in it"), "{}", block(&usage));
    refused(soon(lab.host.append(&at, "x").backup("/x")).await, ErrorKind::Usage);
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_and_no_quotes_let_an_invalid_file_pass() -> Result {
    let lab = Lab::new();
    let folder = lab.open_folder();
    for name in ["x.conf", "a b.conf", "it's.conf", "$(touch pwned) `id`.conf", "-rf.conf", "ü\"q\".conf"] {
        let path = folder.join(name);
        fs::write(&path, "old\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        let at = path.display().to_string();
        for line in [
            "! grep -q hello -- %s",
            "! grep -q hello -- \"%s\"",
            "! grep -q hello -- '%s'",
            "sh -c '! grep -q hello -- \"$1\"' sh %s",
        ] {
            let put = |content: &str| lab.host.put(content.as_bytes().to_vec(), &at).validate(ShellLine::raw(line));
            refused(soon(put("hello\n")).await, ErrorKind::File);
            assert_eq!(text(&path), "old\n", "{line} let {name} pass");
            soon(put("new\n")).await?;
            assert_eq!(text(&path), "new\n", "{line} refused {name}");
            fs::write(&path, "old\n")?;
        }
        let within = lab.host.put(b"hello\n".to_vec(), &at).validate("sh -c '! grep -q hello %s'");
        let error = refused(soon(within).await, ErrorKind::Usage);
        assert!(block(&error).contains("`%s` is within quotes"), "{}", block(&error));
        assert_eq!(text(&path), "old\n");
    }
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_and_symlinks_are_made_once() -> Result {
    for lab in both() {
        let root = lab.open_folder();
        let (host, at) = (&lab.host, |name: &str| root.join(name).display().to_string());
        for round in [true, false] {
            assert_eq!(soon(host.ensure_dir(at("a/b"))).await?.any()?, round);
            assert_eq!(soon(host.symlink("a/b", at("current"))).await?.any()?, round);
        }
        assert_eq!(mode(&root.join("a/b")), 0o755);
        assert!(soon(host.symlink("a", at("current"))).await?.any()?);
        assert_eq!(fs::read_link(root.join("current"))?, std::path::Path::new("a"));
        assert!(!root.join("a/b/b").exists() && !root.join("a/b/current").exists(), "not into what it led to");
        refused(soon(host.symlink("x", at("a"))).await, ErrorKind::File);
        fs::write(root.join("file"), "x")?;
        refused(soon(host.ensure_dir(at("file"))).await, ErrorKind::File);
        lab.assert_nothing_is_left();
    }
    for lab in both() {
        let folder = lab.open_folder().join("d");
        let at = folder.display().to_string();
        assert!(soon(lab.host.ensure_dir(&at).mode(0o700)).await?.any()?);
        assert!(!soon(lab.host.ensure_dir(&at).mode(0o700)).await?.any()?);
        assert!(soon(lab.host.ensure_dir(&at).mode(0o750)).await?.any()?);
        assert_eq!(mode(&folder), 0o750);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_the_difference_of_an_edit_and_makes_none() -> Result {
    let lab = Lab::new();
    fs::write(lab.there("x"), "a\n")?;
    let (seen, sink) = capture();
    let client = super::differences::planning(&lab.sshd).sink(sink).build();
    let at = lab.there("x").display().to_string();
    let planned = client.connect(lab.sshd.alias())?.append(&at, "b").await?;
    assert!(planned.any()?, "the planned change");
    client.close().await;
    let difference = &seen.of_kind("diff")[0]["diff"]["lines"];
    assert_eq!(*difference, format!("--- {at}\n+++ {at}\tappend `b` to {at}\n@@ -1 +1,2 @@\n a\n+b\n"));
    assert_eq!((seen.of_kind("planned").len(), text(lab.there("x"))), (1, "a\n".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_root_s_is_edited_by_sudo_and_keeps_its_owner() -> Result {
    let Some(lab) = crate::sudo::Lab::with_password(Account::Sudo) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sudoers");
    fs::write(&path, "root ALL\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440))?;
    std::os::unix::fs::chown(&path, Some(65534), Some(1))?;
    let (host, at) = (lab.host(), path.display().to_string());
    assert!(soon(host.append(&at, "deploy ALL").sudo()).await?.any()?);
    assert!(!soon(host.append(&at, "deploy ALL").sudo()).await?.any()?);
    let meta = fs::metadata(&path)?;
    assert_eq!(
        (text(&path).as_str(), mode(&path), meta.uid(), meta.gid()),
        ("root ALL\ndeploy ALL\n", 0o440, 65534, 1)
    );
    assert!(host.exists(&at).sudo().await? && host.contains(&at, "deploy").sudo().await?);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_is_there_no_more_and_what_it_leads_to_stays() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let path = |name: &str| lab.there(name).display().to_string();
        lab.host.write(path("file"), "x").await?;
        lab.host.write(path("other"), "other").await?;
        lab.host.ensure_dir(path("folder/in/it")).await?;
        lab.host.write(path("folder/-rf x"), "x").await?;
        lab.host.symlink("../other", path("folder/link")).await?;
        lab.host.symlink("folder", path("link")).await?;
        for name in ["file", "link"] {
            assert_eq!(soon(lab.host.remove(path(name))).await?.removed()?, [path(name)]);
            assert!(!lab.there(name).is_symlink() && !lab.there(name).exists());
            assert!(!soon(lab.host.remove(path(name))).await?.any()?, "it is not there");
        }
        let refused_folder = refused(soon(lab.host.remove(path("folder/"))).await, ErrorKind::File);
        assert!(block(&refused_folder).contains("folder is a directory"), "{}", block(&refused_folder));
        assert!(lab.there("folder/in/it").is_dir());
        assert!(soon(lab.host.remove(path("folder/")).recursive()).await?.any()?);
        assert_eq!((lab.there("folder").exists(), text(lab.there("other")).as_str()), (false, "other"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_name_and_what_may_not_be_removed_is_refused() -> Result {
    let lab = Lab::new();
    for path in ["", "/", "//", ".", "..", "~", "~/", "/srv/..", "x/."] {
        refused(soon(lab.host.remove(path).recursive()).await, ErrorKind::Usage);
    }
    let error = refused(soon(lab.host.remove("/etc/hostname")).await, ErrorKind::File);
    assert!(block(&error).contains("Permission denied") && block(&error).contains(".sudo()"), "{}", block(&error));
    let planned = super::differences::planning(&lab.sshd).build().connect(lab.sshd.alias())?;
    lab.host.write(lab.there("x").display().to_string(), "x").await?;
    assert!(soon(planned.remove(lab.there("x").display().to_string())).await?.any()?, "the planned change");
    assert!(lab.there("x").exists());
    Ok(())
}
