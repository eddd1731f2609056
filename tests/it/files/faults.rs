//! Interrupted transfers: a cut, a stop or a full disk leaves the old file and no temporary file.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::{SmallDisk, Sshd, wait_until};

use super::{FileFixture, mode, open_folder, text, walk};
use crate::support::{LIMIT, capture, client_of, error_text, expect_error, proxy_config, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_cut_at_any_byte_keeps_the_old_file() -> Result {
    let old = vec![b'o'; 100_000];
    let new: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    // The cuts are within the login, and at the beginning, in the middle and near the end of the
    // content.
    for after in [2_000, 6_000, 200_000, 1_500_000, 3_000_000, 3_140_000] {
        let sshd = Sshd::start();
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let target = open_folder(&sshd).join("x");
        fs::write(&target, &old)?;
        let (_, sink) = capture();
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).sink(sink).build().connect("host")?;
        let result = host.put(new.clone(), target.display().to_string()).await;
        assert!(result.is_err(), "cut after {after} bytes");
        wait_until("the host has cleaned up", LIMIT, || walk(&sshd.scratch()) == [target.clone()]);
        assert!(fs::read(&target)? == old, "cut after {after} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_get_keeps_the_old_file() -> Result {
    let fixture = FileFixture::new();
    let proxy = Proxy::to(fixture.sshd.addr()).cut_after(Direction::ToClient, 1_000_000, Cut::Reset);
    fs::write(fixture.remote("x"), vec![b'n'; 3 << 20])?;
    let here = fixture.file("x", "old");
    let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).build().connect("host")?;
    assert!(host.get(fixture.remote("x").display().to_string(), here.display().to_string()).await.is_err());
    assert_eq!(text(&here), "old");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_to_a_full_disk_fails_early_and_keeps_the_old_file() -> Result {
    let fixture = FileFixture::new();
    let small = tempfile::tempdir()?;
    let Some(_disk) = SmallDisk::mount(small.path()) else { return Ok(()) };
    let here = small.path().join("x");
    fs::write(&here, "old")?;
    // The content is larger than any transfer within the time limit of the test.
    fs::File::create(fixture.remote("x"))?.set_len(1 << 40)?;
    let got = fixture.host.get(fixture.remote("x").display().to_string(), here.display().to_string());
    let error = expect_error(within_limit(got).await, ErrorKind::Local);
    assert!(error_text(&error).contains("No space left on device"), "{error:?}");
    assert_eq!((text(&here).as_str(), walk(small.path()).len()), ("old", 1));
    fixture.host.run("true").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_put_has_a_private_temporary_file_that_a_drop_removes() -> Result {
    let fixture = FileFixture::new();
    let target = fixture.remote("x");
    let large = vec![b'n'; 512 << 20];
    let scratch = fixture.sshd.scratch();
    // The check runs before the put is dropped: the drop follows the end of the other branch.
    let began = tokio::task::spawn_blocking(move || {
        wait_until("the transfer has started", LIMIT, || !walk(&scratch).is_empty());
        let content = walk(&scratch).remove(0);
        (mode(content.parent().expect("the file has a parent")), mode(&content))
    });
    tokio::select! {
        done = fixture.host.put(large, target.display().to_string()) => panic!("the transfer ended too early: {done:?}"),
        modes = began => assert_eq!(modes.expect("the transfer starts"), (0o700, 0o600)),
    }
    wait_until("all leftovers are gone", LIMIT, || walk(&fixture.sshd.scratch()).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_puts_of_a_failed_tree_leave_no_files() -> Result {
    let fixture = FileFixture::new();
    for name in ["a", "b", "c", "in/d"] {
        fixture.file(&format!("tree/{name}"), name);
    }
    fixture.file("tree/wrong", "wrong");
    // Each round abandons the other puts at another time.
    for round in 0..12 {
        let target = fixture.remote(&round.to_string()).display().to_string();
        let put = fixture.host.put(fixture.local.path().join("tree"), target).validate("! grep -q wrong %s");
        expect_error(within_limit(put).await, ErrorKind::File);
    }
    let is_clean = || walk_all(&fixture.sshd.scratch()).iter().all(|path| !path.to_string_lossy().contains("/.fabrs."));
    wait_until("the host has cleaned up", LIMIT, is_clean);
    Ok(())
}

/// Returns all entries below a directory, including directories.
fn walk_all(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| [walk_all(&path), vec![path]].concat()).collect()
}
