//! Interrupted transfers by SFTP: a cut, a stop or a full disk leaves the old file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::wait_until;

use super::super::{mode, open_folder, text, walk};
use super::{files_only, lab};
use crate::support::{LIMIT, client_of, refused, soon, through};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_put_is_cut_the_target_is_the_old_file() -> Result {
    let old = vec![b'o'; 100_000];
    let new: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    for after in [6_000, 200_000, 1_500_000, 3_000_000, 3_150_000] {
        let sshd = files_only().start();
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let target = open_folder(&sshd).join("x");
        fs::write(&target, &old)?;
        let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
        let result = soon(host.put(new.clone(), target.display().to_string())).await;
        assert!(result.is_err(), "cut after {after} bytes");
        wait_until("the host has noticed", LIMIT, || sshd.connections() == 0);
        assert!(fs::read(&target)? == old, "cut after {after} bytes");
        // Without a shell nothing can remove the temporary file. It is private, and has its own
        // name.
        let left: Vec<_> = walk(&sshd.scratch()).into_iter().filter(|path| *path != target).collect();
        for path in &left {
            assert!(path.to_string_lossy().contains("/.fabrs.") && mode(path) == 0o600, "{}", path.display());
        }
        assert!(left.len() <= 1, "{left:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_is_cut_leaves_the_old_file_here_and_no_other() -> Result {
    let lab = lab();
    let proxy = Proxy::to(lab.sshd.addr()).cut_after(Direction::ToClient, 1_000_000, Cut::Reset);
    fs::write(lab.there("x"), vec![b'n'; 3 << 20])?;
    let here = lab.file("x", "old");
    let host = client_of(&lab.sshd, &through(&proxy, &lab.sshd)).build().connect("host")?;
    let cut = soon(host.get(lab.there("x").display().to_string(), here.display().to_string())).await;
    refused(cut, ErrorKind::Channel);
    assert_eq!(text(&here), "old");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_its_way_is_for_nobody_else_to_read_and_dropped_it_leaves_nothing_behind() -> Result {
    let lab = lab();
    let large = vec![b'n'; 512 << 20];
    let scratch = lab.sshd.scratch();
    let began = move || wait_until("it has begun", LIMIT, || !walk(&scratch).is_empty());
    let mut put = Box::pin(async { lab.host.put(large, lab.there("x").display().to_string()).await });
    tokio::select! {
        done = &mut put => panic!("it was done too soon: {done:?}"),
        began = tokio::task::spawn_blocking(began) => began.expect("it begins"),
    }
    let content = walk(&lab.sshd.scratch()).remove(0);
    assert_eq!(mode(&content), 0o600, "{}", content.display());
    drop(put);
    lab.host.client().expect("it has one").close().await;
    assert_eq!(walk(&lab.sshd.scratch()), Vec::<std::path::PathBuf>::new(), "the client waits for that");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_cleans_up_behind_a_put() -> Result {
    let lab = lab();
    let large = vec![b'n'; 512 << 20];
    let client = lab.host.client().expect("it has one").clone();
    let (scratch, stop) = (lab.sshd.scratch(), client.stop().clone());
    let stopped = tokio::task::spawn_blocking(move || {
        wait_until("it has begun", LIMIT, || !walk(&scratch).is_empty());
        stop.raise(StopLevel::Stop);
    });
    let put = soon(lab.host.put(large, lab.there("x").display().to_string())).await;
    stopped.await.expect("it begins");
    refused(put, ErrorKind::Cancelled);
    client.close().await;
    assert_eq!(walk(&lab.sshd.scratch()), Vec::<std::path::PathBuf>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_transfer_left_is_removed_a_day_later_and_what_is_on_its_way_stays() -> Result {
    let lab = lab();
    let path = |name: &str| lab.there(name).display().to_string();
    // The login makes the files, so the leftovers belong to the login.
    let (old, new) = (".fabrs.0123456789abcdef", ".fabrs.fedcba9876543210");
    let (foreign, like) = (".fabrs.0000000000000000", ".fabrs.notes");
    for name in [old, new, like] {
        lab.host.put(b"part of a file".to_vec(), path(name)).await?;
    }
    fs::write(lab.there(foreign), "of another user")?;
    let is_of_another = fs::metadata(lab.there(foreign))?.uid() != fs::metadata(lab.there(old))?.uid();
    for name in [old, like, foreign] {
        fs::File::open(lab.there(name))?.set_modified(SystemTime::now() - Duration::from_hours(25))?;
    }
    let client = client_of(&lab.sshd, "").build();
    client.connect(lab.sshd.alias())?.put(b"x".to_vec(), path("x")).await?;
    let names = |name: &&str| lab.there(name).exists();
    let left: Vec<_> = [old, new, like, foreign].into_iter().filter(names).collect();
    let expected = if is_of_another { vec![new, like, foreign] } else { vec![new, like] };
    assert_eq!(left, expected);
    client.close().await;
    Ok(())
}
