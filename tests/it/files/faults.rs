//! Interrupted transfers: a cut, a stop or a full disk leaves the old file and no temporary file.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::{SmallDisk, Sshd, wait_until};

use super::{Lab, mode, open_folder, text, walk};
use crate::support::{LIMIT, block, capture, client_of, refused, soon, through};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_put_is_cut_the_target_is_the_old_file_or_the_new_one() -> Result {
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
        let host = client_of(&sshd, &through(&proxy, &sshd)).sink(sink).build().connect("host")?;
        let result = host.put(new.clone(), target.display().to_string()).await;
        assert!(result.is_err(), "cut after {after} bytes");
        wait_until("the host has cleaned up", LIMIT, || walk(&sshd.scratch()) == [target.clone()]);
        assert!(fs::read(&target)? == old, "cut after {after} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_is_cut_leaves_the_old_file_here_and_no_other() -> Result {
    let lab = Lab::new();
    let proxy = Proxy::to(lab.sshd.addr()).cut_after(Direction::ToClient, 1_000_000, Cut::Reset);
    fs::write(lab.there("x"), vec![b'n'; 3 << 20])?;
    let here = lab.file("x", "old");
    let host = client_of(&lab.sshd, &through(&proxy, &lab.sshd)).build().connect("host")?;
    assert!(host.get(lab.there("x").display().to_string(), here.display().to_string()).await.is_err());
    assert_eq!(text(&here), "old");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_has_no_room_here_ends_at_once_and_leaves_the_old_file() -> Result {
    let lab = Lab::new();
    let small = tempfile::tempdir()?;
    let Some(_disk) = SmallDisk::mount(small.path()) else { return Ok(()) };
    let here = small.path().join("x");
    fs::write(&here, "old")?;
    // The content is larger than any transfer within the time limit of the test.
    fs::File::create(lab.there("x"))?.set_len(1 << 40)?;
    let got = lab.host.get(lab.there("x").display().to_string(), here.display().to_string());
    let error = refused(soon(got).await, ErrorKind::Local);
    assert!(block(&error).contains("No space left on device"), "{error:?}");
    assert_eq!((text(&here).as_str(), walk(small.path()).len()), ("old", 1));
    lab.host.run("true").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_its_way_is_for_nobody_else_to_read_and_dropped_it_leaves_nothing_behind() -> Result {
    let lab = Lab::new();
    let target = lab.there("x");
    let large = vec![b'n'; 512 << 20];
    let scratch = lab.sshd.scratch();
    // The check runs before the put is dropped: the drop follows the end of the other branch.
    let began = tokio::task::spawn_blocking(move || {
        wait_until("it has begun", LIMIT, || !walk(&scratch).is_empty());
        let content = walk(&scratch).remove(0);
        (mode(content.parent().expect("it is in a folder")), mode(&content))
    });
    tokio::select! {
        done = lab.host.put(large, target.display().to_string()) => panic!("it was done too soon: {done:?}"),
        modes = began => assert_eq!(modes.expect("it begins"), (0o700, 0o600)),
    }
    wait_until("nothing is left", LIMIT, || walk(&lab.sshd.scratch()).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_that_are_given_up_since_another_failed_leave_nothing_behind() -> Result {
    let lab = Lab::new();
    for name in ["a", "b", "c", "in/d"] {
        lab.file(&format!("tree/{name}"), name);
    }
    lab.file("tree/wrong", "wrong");
    // Each round abandons the other puts at another time.
    for round in 0..12 {
        let target = lab.there(&round.to_string()).display().to_string();
        let put = lab.host.put(lab.here.path().join("tree"), target).validate("! grep -q wrong %s");
        refused(soon(put).await, ErrorKind::File);
    }
    let is_clean = || walk_all(&lab.sshd.scratch()).iter().all(|path| !path.to_string_lossy().contains("/.fabrs."));
    wait_until("the host has cleaned up", LIMIT, is_clean);
    Ok(())
}

/// Returns all entries below a directory, including directories.
fn walk_all(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| [walk_all(&path), vec![path]].concat()).collect()
}
