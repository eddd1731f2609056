//! Validation of a file at its target: a failure or a stop restores the old file.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fabrs::ShellLine;
use fabrs::config::Mode;
use fabrs::files::PutRequest;
use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Proxy};
use fabrs_testing::{Account, Process, marker, processes_matching, wait_until};

use super::remote_shells::{SHELLS, fixture};
use super::{FileFixture, mode, text, walk};
use crate::support::{
    LIMIT, capture, client_of, error_text, expect_error, proxy_config, settings, ssh_config, within_limit,
};

/// Fails with two lines if the configuration contains the word `bad`.
const CHECK: &str = "! grep -l bad -- %s || { echo '[emerg] bad in line 1' >&2; echo test failed; exit 3; }";

/// Returns an upload with a validation.
fn put(host: &Connection, content: &str, target: &Path) -> PutRequest {
    host.put(content.as_bytes().to_vec(), target.display().to_string()).validate_live(CHECK)
}

/// Makes a file with an unusual mode in a directory for all users.
fn old_file(fixture: &FileFixture) -> PathBuf {
    let target = fixture.open_folder().join("a 'b' $c.conf");
    fs::write(&target, "old\n").expect("the test owns the directory");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o646)).expect("the test owns the file");
    target
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_file_stays_and_an_invalid_file_is_restored_with_its_mode_in_each_shell() -> Result {
    for shell in SHELLS {
        let fixture = fixture(shell);
        let target = old_file(&fixture);
        let before = fs::metadata(&target)?;
        let error = expect_error(within_limit(put(&fixture.host, "bad\n", &target).mode(0o600)).await, ErrorKind::File);
        let shown = error_text(&error);
        assert!(shown.contains("ended with 3: ") && shown.contains("[emerg] bad in line 1\n"), "{shell}: {shown}");
        assert!(shown.contains("test failed"), "{shell}: {shown}");
        let after = fs::metadata(&target)?;
        assert_eq!((text(&target).as_str(), mode(&target)), ("old\n", 0o646), "{shell}");
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()), "{shell}: the same file");

        assert!(within_limit(put(&fixture.host, "good\n", &target)).await?.any()?, "{shell}");
        assert_eq!((text(&target).as_str(), mode(&target)), ("good\n", 0o646), "{shell}");
        assert!(!within_limit(put(&fixture.host, "good\n", &target)).await?.any()?, "{shell}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_runs_with_the_new_file_at_its_target() -> Result {
    let fixture = FileFixture::new();
    let target = old_file(&fixture);
    let folder = target.parent().expect("the file has a parent").display().to_string();
    let line = ShellLine::raw(format!("cat {folder}/*.conf > {folder}/seen; [ -f %s ]"));
    within_limit(put(&fixture.host, "new\n", &target).validate_live(line)).await?;
    assert_eq!(text(Path::new(&folder).join("seen")), "new\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_new_file_is_removed() -> Result {
    let fixture = FileFixture::new();
    let target = fixture.open_folder().join("new.conf");
    expect_error(within_limit(put(&fixture.host, "bad\n", &target)).await, ErrorKind::File);
    assert_eq!(walk(&fixture.sshd.scratch()), Vec::<PathBuf>::new());
    within_limit(put(&fixture.host, "good\n", &target)).await?;
    assert_eq!(text(&target), "good\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_and_a_symlink_restore_the_old_file() -> Result {
    let fixture = FileFixture::new();
    let target = old_file(&fixture);
    let link = target.with_file_name("link.conf");
    std::os::unix::fs::symlink(&target, &link)?;
    let at = link.display().to_string();
    let edit = |line: &str| fixture.host.append(&at, line).validate_live(CHECK);
    expect_error(within_limit(edit("bad")).await, ErrorKind::File);
    assert_eq!(text(&target), "old\n");
    within_limit(edit("good")).await?;
    assert_eq!((text(&target).as_str(), fs::read_link(&link)?), ("old\ngood\n", target));
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_sudo_the_owner_is_restored_as_well() -> Result {
    for account in [Account::SudoNopasswd, Account::Sudo] {
        let Some(fixture) = crate::sudo::SudoFixture::with_password(account) else { return Ok(()) };
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("sudoers");
        fs::write(&target, "old\n")?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o440))?;
        std::os::unix::fs::chown(&target, Some(65534), Some(1))?;
        let host = fixture.host();
        let put = |content: &str| put(&host, content, &target).owner("root").mode(0o600).sudo();
        expect_error(within_limit(put("bad\n")).await, ErrorKind::File);
        let meta = fs::metadata(&target)?;
        assert_eq!(
            (text(&target).as_str(), mode(&target), meta.uid(), meta.gid()),
            ("old\n", 0o440, 65534, 1),
            "{account:?}"
        );
        within_limit(put("good\n")).await?;
        assert_eq!((text(&target).as_str(), mode(&target), fs::metadata(&target)?.uid()), ("good\n", 0o600, 0));
        assert_eq!(fs::read_dir(folder.path())?.count(), 1, "no other file remains");
        host.close().await;
    }
    Ok(())
}

/// The file belongs to another user, so the kernel refuses a hard link
/// (`fs.protected_hardlinks`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_user_keeps_its_owner_without_hard_links() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let target = folder.path().join("x");
    fs::write(&target, "old\n")?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o604))?;
    let host = fixture.host();
    let link = format!("ln {0} {0}.link", target.display());
    assert!(!host.run(ShellLine::raw(link)).warn().await?.ok()?, "the kernel refuses a hard link");
    expect_error(within_limit(put(&host, "bad\n", &target)).await, ErrorKind::File);
    let meta = fs::metadata(&target)?;
    assert_eq!((text(&target).as_str(), mode(&target), meta.uid()), ("old\n", 0o604, 0));
    assert_eq!(fs::read_dir(folder.path())?.count(), 1, "no other file remains");
    host.close().await;
    Ok(())
}

/// The command ignores TERM, and must not delay the restoration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_during_the_validation_restores_the_old_file_and_removes_a_new_file() -> Result {
    for has_old in [true, false] {
        let fixture = FileFixture::new();
        let (target, began, nap) = (old_file(&fixture), fixture.remote("began"), marker());
        if !has_old {
            fs::remove_file(&target)?;
        }
        let line = ShellLine::raw(format!("trap '' TERM; touch {}; sleep {nap}", began.display()));
        let put = put(&fixture.host, "bad\n", &target).validate_live(line);
        let (live, started) = (target.clone(), began.clone());
        let validates = tokio::task::spawn_blocking(move || {
            wait_until("the validation has started", LIMIT, || started.exists());
            text(live)
        });
        tokio::select! {
            done = put => panic!("the validation ended: {done:?}"),
            content = validates => assert_eq!(content.expect("the validation starts"), "bad\n"),
        }
        let expected = if has_old { vec![began.clone(), target.clone()] } else { vec![began.clone()] };
        wait_until("the host has cleaned up", LIMIT, || walk(&fixture.sshd.scratch()) == expected);
        if has_old {
            assert_eq!((text(&target).as_str(), mode(&target)), ("old\n", 0o646));
        }
        wait_until("the command has ended", LIMIT, || processes_matching(&nap) == Vec::<Process>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_leaves_no_invalid_file() -> Result {
    let fixture = FileFixture::new();
    let target = old_file(&fixture);
    let (began, gate) = (fixture.remote("began"), fixture.remote("gate"));
    let proxy = Proxy::to(fixture.sshd.addr());
    let (_, sink) = capture();
    let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).sink(sink).build().connect("host")?;
    let line = format!("touch {}; until [ -e {} ]; do sleep 0.1; done; false", began.display(), gate.display());
    let put = put(&host, "bad\n", &target).validate_live(ShellLine::raw(line));
    let cut = tokio::task::spawn_blocking(move || {
        wait_until("the validation has started", LIMIT, || began.exists());
        proxy.cut_now(Cut::Reset);
    });
    let (result, _) = tokio::join!(within_limit(put), cut);
    assert!(result.is_err(), "the connection was lost");
    fs::write(gate, "")?;
    wait_until("the old file is restored", LIMIT, || text(&target) == "old\n");
    wait_until("the host has cleaned up", LIMIT, || walk(&fixture.sshd.scratch()).len() == 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_does_not_validate() -> Result {
    let fixture = FileFixture::new();
    let target = old_file(&fixture);
    let settings = settings(&ssh_config(&fixture.sshd, "")).mode(Mode::DryRun);
    let (_, sink) = capture();
    let host = client_of(&fixture.sshd, "").settings(settings).sink(sink).build().connect(fixture.sshd.alias())?;
    let line = ShellLine::raw(format!("touch {}", fixture.remote("ran").display()));
    assert!(within_limit(put(&host, "bad\n", &target).validate_live(line)).await?.any()?, "a change is planned");
    assert_eq!((text(&target).as_str(), fixture.remote("ran").exists()), ("old\n", false));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overwritten_file_cannot_be_restored() -> Result {
    let fixture = FileFixture::new();
    let target = old_file(&fixture);
    let error = expect_error(within_limit(put(&fixture.host, "new\n", &target).in_place()).await, ErrorKind::Usage);
    assert!(error_text(&error).contains("cannot restore a file that `.in_place()` overwrites"), "{error:?}");
    assert_eq!(text(&target), "old\n");
    Ok(())
}
