//! Interrupted tree uploads: each file is the old one or the new one, and no temporary file
//! remains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::{BindMount, Process, Sshd, wait_until};

use super::trees::{fixture_with_programs, which};
use super::{FileFixture, open_folder, text, walk};
use crate::support::{LIMIT, client_of, error_text, expect_error, proxy_config, within_limit};

/// Writes a local tree of new files, and a remote tree of old files under the same names.
async fn make_old_and_new_trees(fixture: &FileFixture, target: &Path) -> Result {
    for n in 0..40 {
        let name = format!("tree/{}/{n}", n % 4);
        fixture.file(&name, format!("old {n}").repeat(50));
    }
    within_limit(fixture.host.put(fixture.local.path().join("tree"), target.display().to_string())).await?;
    for n in 0..40 {
        fixture.file(&format!("tree/{}/{n}", n % 4), format!("new {n}").repeat(5_000));
    }
    Ok(())
}

/// Asserts complete files. Returns the number of new files.
fn count_new_files(target: &Path) -> usize {
    let is_new = |path: &Path| {
        let content = text(path);
        let n = path.file_name().and_then(|name| name.to_str()).expect("the file has a name");
        assert!(
            content == format!("old {n}").repeat(50) || content == format!("new {n}").repeat(5_000),
            "{n} is neither"
        );
        content.starts_with("new")
    };
    let files = walk(target);
    assert_eq!(files.len(), 40, "{files:?}");
    files.iter().filter(|path| is_new(path)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_cut_at_any_byte_keeps_the_old_files() -> Result {
    for after in [3_000, 20_000, 400_000, 1_000_000, 1_150_000] {
        let sshd = Sshd::start();
        let fixture = FileFixture::of(sshd);
        let target = open_folder(&fixture.sshd).join("tree");
        make_old_and_new_trees(&fixture, &target).await?;
        let proxy = Proxy::to(fixture.sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).build().connect("host")?;
        let put = within_limit(host.put(fixture.local.path().join("tree"), target.display().to_string())).await;
        assert!(put.is_err(), "cut after {after} bytes");
        wait_until("the host has cleaned up", LIMIT, || walk(&fixture.sshd.scratch()).len() == 40);
        assert_eq!(count_new_files(&target), 0, "cut after {after} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_stopped_between_renames_reports_its_progress_and_can_continue() -> Result {
    let fixture = fixture_with_programs(&["tar", "sha256sum"], false);
    let target = fixture.open_folder().join("tree");
    make_old_and_new_trees(&fixture, &target).await?;
    // The third rename ends the script.
    let place = fixture.programs.clone().expect("the fixture has a program directory");
    let count = fixture.remote("count");
    fs::write(&count, "")?;
    fs::set_permissions(&count, fs::Permissions::from_mode(0o666))?;
    let mv = format!(
        "#!/bin/sh\nprintf x >>{count}\n[ $(wc -c <{count}) -lt 3 ] || {{ kill -TERM $PPID; exit 1; }}\nexec {} \"$@\"\n",
        which("mv").display(),
        count = count.display(),
    );
    fs::remove_file(place.join("mv"))?;
    fs::write(place.join("mv"), mv)?;
    fs::set_permissions(place.join("mv"), fs::Permissions::from_mode(0o755))?;
    let error = expect_error(
        within_limit(fixture.host.put(fixture.local.path().join("tree"), target.display().to_string())).await,
        ErrorKind::File,
    );
    assert_eq!(count_new_files(&target), 20);
    let hint = "hint: 20 files were written: run the same transfer again for the rest";
    assert!(error_text(&error).contains(hint), "{}", error_text(&error));
    fs::remove_file(place.join("mv"))?;
    std::os::unix::fs::symlink(which("mv"), place.join("mv"))?;
    let again = within_limit(fixture.host.put(fixture.local.path().join("tree"), target.display().to_string())).await?;
    assert_eq!((again.changed()?.len(), count_new_files(&target)), (20, 40));
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_the_old_file() -> Result {
    let fixture = FileFixture::new();
    let target = fixture.open_folder().join("x");
    fs::write(&target, "old")?;
    let (host, scratch) = (fixture.host.clone(), fixture.sshd.scratch());
    let to = target.display().to_string();
    let put = host.put(vec![b'n'; 700 << 20], to);
    let is_there =
        tokio::task::spawn_blocking(move || wait_until("the transfer has started", LIMIT, || walk(&scratch).len() > 1));
    let killed = async {
        is_there.await.expect("the transfer starts");
        // sshd's child processes notice the end of sshd by the end of their input.
        let started = fixture.sshd.session_processes();
        fixture.sshd.processes().iter().filter(|process| !started.contains(process)).for_each(Process::kill);
    };
    let (put, ()) = futures::join!(within_limit(put), killed);
    assert!(put.is_err());
    wait_until("only the target remains", LIMIT, || walk(&fixture.sshd.scratch()) == [target.clone()]);
    assert_eq!(text(&target), "old");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_target_is_an_error_and_keeps_its_files() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let folder = fixture.open_folder();
        fs::write(folder.join("x"), "old")?;
        let Some(_mount) = BindMount::read_only(&folder) else { return Ok(()) };
        let error = expect_error(
            within_limit(fixture.host.put(b"new", folder.join("x").display().to_string())).await,
            ErrorKind::File,
        );
        let shown = error_text(&error);
        assert!(shown.contains("Read-only file system") || shown.contains("gave no reason"), "{shown}");
        fixture.file("tree/a", "a");
        let tree =
            within_limit(fixture.host.put(fixture.local.path().join("tree"), folder.display().to_string())).await;
        expect_error(tree, ErrorKind::File);
        assert_eq!((text(folder.join("x")).as_str(), walk(&folder).len()), ("old", 1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_changed_during_its_upload_is_not_put() -> Result {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    for (fixture, size) in
        [(FileFixture::new(), 64 << 20), (FileFixture::new(), 3 << 20), (super::sftp::fixture(), 64 << 20)]
    {
        let (file, target) = (fixture.file("x", vec![b'n'; size]), fixture.remote("x"));
        fs::write(&target, "old")?;
        fs::set_permissions(fixture.sshd.scratch(), fs::Permissions::from_mode(0o777))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, path) = (Arc::clone(&is_over), file.clone());
        let writer = std::thread::spawn(move || {
            let file = fs::File::options().append(true).open(path).expect("the file exists");
            while !over.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut &file, b"more").expect("the file is writable");
            }
        });
        let put = within_limit(fixture.host.put(&file, target.display().to_string())).await;
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("the command ends");
        let error = expect_error(put, ErrorKind::Local);
        assert!(error_text(&error).contains("was changed during the upload"), "{}", error_text(&error));
        assert_eq!(text(&target), "old");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_moved_aside_by_a_failed_sync_is_restored() -> Result {
    for programs in [&["tar", "sha256sum"][..], &["tar", "sha256sum", "perl"]] {
        let fixture = fixture_with_programs(programs, false);
        let target = fixture.open_folder().join("tree");
        fixture.file("tree/data/precious", "precious");
        fixture.file("tree/other", "other");
        within_limit(fixture.host.put(fixture.local.path().join("tree"), target.display().to_string())).await?;
        fs::remove_dir_all(fixture.local.path().join("tree/data"))?;
        fixture.file("tree/data", "a file now");
        // The script is ended after the first of two renames: by the second rename, or at its
        // start.
        let place = fixture.programs.clone().expect("the fixture has a program directory");
        let (name, wrapped) = if programs.contains(&"perl") {
            let module = fixture.remote("Ends.pm");
            let ends = "package Ends; BEGIN { *CORE::GLOBAL::rename = sub { my ($from, $to) = @_; \
                        if ($from =~ m,^t/,) { kill 15, getppid; exit 1 } CORE::rename($from, $to) } } 1;\n";
            fs::write(&module, ends)?;
            ("perl", format!("exec {} -I{} -MEnds \"$@\"", which("perl").display(), fixture.sshd.scratch().display()))
        } else {
            let count = fixture.remote("count");
            fs::write(&count, "")?;
            fs::set_permissions(&count, fs::Permissions::from_mode(0o666))?;
            let ends = format!(
                "printf x >>{count}; [ $(wc -c <{count}) -ne 2 ] || {{ kill -TERM $PPID; exit 1; }}\nexec {} \"$@\"",
                which("mv").display(),
                count = count.display()
            );
            ("mv", ends)
        };
        fs::remove_file(place.join(name))?;
        fs::write(place.join(name), format!("#!/bin/sh\n{wrapped}\n"))?;
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755))?;
        let sync = fixture.host.sync(fixture.local.path().join("tree"), target.display().to_string()).delete();
        expect_error(within_limit(sync).await, ErrorKind::File);
        assert_eq!(text(target.join("data/precious")), "precious", "{programs:?}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}
