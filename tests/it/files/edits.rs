//! Remote edits: files are inspected, read and edited in place and only once, by the shell and the
//! SFTP backend.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::UNIX_EPOCH;

use fabrs::files::FileKind;
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::{FileFixture, mode, text};
use crate::support::{capture, error_text, expect_error, within_limit};

fn both_backends() -> [FileFixture; 2] {
    [FileFixture::new(), super::sftp::fixture()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stat_and_its_short_forms_report_the_entry_at_a_path() -> Result {
    for fixture in both_backends() {
        let at = |name: &str| fixture.remote(name).display().to_string();
        fs::write(fixture.remote("file"), "content")?;
        fs::set_permissions(fixture.remote("file"), fs::Permissions::from_mode(0o640))?;
        fs::File::open(fixture.remote("file"))?.set_modified(UNIX_EPOCH + secs(1_700_000_000))?;
        fs::create_dir(fixture.remote("folder"))?;
        symlink("folder", fixture.remote("link"))?;
        symlink("nowhere", fixture.remote("dangling"))?;
        let host = &fixture.host;
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
        let stat = host.stat(at("file")).await?.expect("the file exists");
        let there = fs::metadata(fixture.remote("file"))?;
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
async fn an_inaccessible_directory_is_an_error_and_not_a_missing_file() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for fixture in both_backends() {
        fs::create_dir_all(fixture.remote("private/in"))?;
        fs::set_permissions(fixture.remote("private"), fs::Permissions::from_mode(0o700))?;
        let looked = within_limit(fixture.host.exists(fixture.remote("private/in").display().to_string())).await;
        assert!(error_text(&expect_error(looked, ErrorKind::File)).contains("Permission denied"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_as_text_or_as_bytes() -> Result {
    for fixture in both_backends() {
        let at = |name: &str| fixture.remote(name).display().to_string();
        fs::write(fixture.remote("text"), "allow *.[x] $y\n")?;
        fs::write(fixture.remote("bytes"), b"caf\xe9")?;
        assert_eq!(fixture.host.read(at("text")).await?, "allow *.[x] $y\n");
        assert!(
            fixture.host.contains(at("text"), "*.[x] $y").await? && !fixture.host.contains(at("text"), "a.l").await?
        );
        assert_eq!(fixture.host.read_bytes(at("bytes")).await?, b"caf\xe9");
        let error = expect_error(fixture.host.read(at("bytes")).await, ErrorKind::File);
        assert!(error_text(&error).contains("is not UTF-8"), "{}", error_text(&error));
        expect_error(fixture.host.read(at("none")).await, ErrorKind::File);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_are_idempotent_and_keep_the_mode() -> Result {
    for fixture in both_backends() {
        let path = fixture.open_folder().join("x.conf");
        fs::write(&path, "port = 80\n    allow all;\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646))?;
        let (host, at) = (&fixture.host, path.display().to_string());
        for round in 0..2 {
            let changed = [
                host.append(&at, "user = shop").await?.any()?,
                host.append(&at, ["a", "b", "a"]).await?.any()?,
                host.replace(&at, r"(?m)^port = \d+$", "port = 8080").await?.any()?,
                host.comment(&at, "allow").await?.any()?,
                host.ensure_line(&at, "user = web").matching("^user").await?.any()?,
                host.ensure_line(&at, "first").before("^port").await?.any()?,
            ];
            // The fifth edit replaced the line appended by the first edit.
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
            expect_error(host.comment(path.with_file_name("none").display().to_string(), "x").await, ErrorKind::File);
        assert!(error_text(&missing).contains("no such file"), "{}", error_text(&missing));
        let bad = expect_error(host.replace(&at, "(", "").await, ErrorKind::Usage);
        assert!(error_text(&bad).contains("invalid regular expression"), "{}", error_text(&bad));
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_validation_keeps_the_old_file_and_backup_keeps_a_copy() -> Result {
    let fixture = FileFixture::new();
    let path = fixture.open_folder().join("x.conf");
    fs::write(&path, "old\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let at = path.display().to_string();
    let put = |content: &str| {
        fixture.host.put(content.as_bytes().to_vec(), &at).validate("grep -q ok %s || { echo no ok in it; false; }")
    };
    let error = expect_error(within_limit(put("bad\n")).await, ErrorKind::File);
    assert!(error_text(&error).contains("ended with 1: no ok in it"), "{}", error_text(&error));
    assert_eq!(text(&path), "old\n");
    within_limit(put("ok\n").backup(".bak")).await?;
    assert_eq!((text(&path).as_str(), text(path.with_file_name("x.conf.bak")).as_str()), ("ok\n", "old\n"));
    within_limit(fixture.host.append(&at, "ok too").validate("grep -q ok %s").backup("~")).await?;
    assert_eq!(text(path.with_file_name("x.conf~")), "ok\n");
    let usage =
        expect_error(within_limit(fixture.host.put(b"x".to_vec(), &at).validate("true")).await, ErrorKind::Usage);
    assert!(error_text(&usage).contains("has no `%s`"), "{}", error_text(&usage));
    expect_error(within_limit(fixture.host.append(&at, "x").backup("/x")).await, ErrorKind::Usage);
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validation_works_with_every_file_name_and_quoting() -> Result {
    let fixture = FileFixture::new();
    let folder = fixture.open_folder();
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
            let put = |content: &str| fixture.host.put(content.as_bytes().to_vec(), &at).validate(ShellLine::raw(line));
            expect_error(within_limit(put("hello\n")).await, ErrorKind::File);
            assert_eq!(text(&path), "old\n", "{line} let {name} pass");
            within_limit(put("new\n")).await?;
            assert_eq!(text(&path), "new\n", "{line} refused {name}");
            fs::write(&path, "old\n")?;
        }
        let within = fixture.host.put(b"hello\n".to_vec(), &at).validate("sh -c '! grep -q hello %s'");
        let error = expect_error(within_limit(within).await, ErrorKind::Usage);
        assert!(error_text(&error).contains("`%s` is within quotes"), "{}", error_text(&error));
        assert_eq!(text(&path), "old\n");
    }
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ensure_dir_and_symlink_are_idempotent() -> Result {
    for fixture in both_backends() {
        let root = fixture.open_folder();
        let (host, at) = (&fixture.host, |name: &str| root.join(name).display().to_string());
        for round in [true, false] {
            assert_eq!(within_limit(host.ensure_dir(at("a/b"))).await?.any()?, round);
            assert_eq!(within_limit(host.symlink("a/b", at("current"))).await?.any()?, round);
        }
        assert_eq!(mode(&root.join("a/b")), 0o755);
        assert!(within_limit(host.symlink("a", at("current"))).await?.any()?);
        assert_eq!(fs::read_link(root.join("current"))?, std::path::Path::new("a"));
        assert!(
            !root.join("a/b/b").exists() && !root.join("a/b/current").exists(),
            "the symlink is not created inside its target"
        );
        expect_error(within_limit(host.symlink("x", at("a"))).await, ErrorKind::File);
        fs::write(root.join("file"), "x")?;
        expect_error(within_limit(host.ensure_dir(at("file"))).await, ErrorKind::File);
        fixture.assert_no_leftovers();
    }
    for fixture in both_backends() {
        let folder = fixture.open_folder().join("d");
        let at = folder.display().to_string();
        assert!(within_limit(fixture.host.ensure_dir(&at).mode(0o700)).await?.any()?);
        assert!(!within_limit(fixture.host.ensure_dir(&at).mode(0o700)).await?.any()?);
        assert!(within_limit(fixture.host.ensure_dir(&at).mode(0o750)).await?.any()?);
        assert_eq!(mode(&folder), 0o750);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_the_diff_of_an_edit_without_editing() -> Result {
    let fixture = FileFixture::new();
    fs::write(fixture.remote("x"), "a\n")?;
    let (seen, sink) = capture();
    let client = super::diffs::dry_run_client(&fixture.sshd).sink(sink).build();
    let at = fixture.remote("x").display().to_string();
    let planned = client.connect(fixture.sshd.alias())?.append(&at, "b").await?;
    assert!(planned.any()?, "the planned change");
    client.close().await;
    let difference = &seen.of_kind("diff")[0]["diff"]["lines"];
    assert_eq!(*difference, format!("--- {at}\n+++ {at}\tappend `b` to {at}\n@@ -1 +1,2 @@\n a\n+b\n"));
    assert_eq!((seen.of_kind("planned").len(), text(fixture.remote("x"))), (1, "a\n".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_under_sudo_keeps_the_owner_of_a_root_file() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sudoers");
    fs::write(&path, "root ALL\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440))?;
    std::os::unix::fs::chown(&path, Some(65534), Some(1))?;
    let (host, at) = (fixture.host(), path.display().to_string());
    assert!(within_limit(host.append(&at, "deploy ALL").sudo()).await?.any()?);
    assert!(!within_limit(host.append(&at, "deploy ALL").sudo()).await?.any()?);
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
async fn remove_deletes_the_entry_and_keeps_symlink_targets() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let path = |name: &str| fixture.remote(name).display().to_string();
        fixture.host.write(path("file"), "x").await?;
        fixture.host.write(path("other"), "other").await?;
        fixture.host.ensure_dir(path("folder/in/it")).await?;
        fixture.host.write(path("folder/-rf x"), "x").await?;
        fixture.host.symlink("../other", path("folder/link")).await?;
        fixture.host.symlink("folder", path("link")).await?;
        for name in ["file", "link"] {
            assert_eq!(within_limit(fixture.host.remove(path(name))).await?.removed()?, [path(name)]);
            assert!(!fixture.remote(name).is_symlink() && !fixture.remote(name).exists());
            assert!(!within_limit(fixture.host.remove(path(name))).await?.any()?, "the entry does not exist");
        }
        let refused_folder = expect_error(within_limit(fixture.host.remove(path("folder/"))).await, ErrorKind::File);
        assert!(error_text(&refused_folder).contains("folder is a directory"), "{}", error_text(&refused_folder));
        assert!(fixture.remote("folder/in/it").is_dir());
        assert!(within_limit(fixture.host.remove(path("folder/")).recursive()).await?.any()?);
        assert_eq!((fixture.remote("folder").exists(), text(fixture.remote("other")).as_str()), (false, "other"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remove_refuses_the_root_the_home_and_protected_files() -> Result {
    let fixture = FileFixture::new();
    for path in ["", "/", "//", ".", "..", "~", "~/", "/srv/..", "x/."] {
        expect_error(within_limit(fixture.host.remove(path).recursive()).await, ErrorKind::Usage);
    }
    let error = expect_error(within_limit(fixture.host.remove("/etc/hostname")).await, ErrorKind::File);
    assert!(
        error_text(&error).contains("Permission denied") && error_text(&error).contains(".sudo()"),
        "{}",
        error_text(&error)
    );
    let planned = super::diffs::dry_run_client(&fixture.sshd).build().connect(fixture.sshd.alias())?;
    fixture.host.write(fixture.remote("x").display().to_string(), "x").await?;
    assert!(
        within_limit(planned.remove(fixture.remote("x").display().to_string())).await?.any()?,
        "the planned change"
    );
    assert!(fixture.remote("x").exists());
    Ok(())
}
