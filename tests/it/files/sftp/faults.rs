//! Interrupted transfers by SFTP: a cut, a stop or a full disk leaves the old file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::wait_until;

use super::super::{mode, open_folder, text, walk};
use super::{fixture, internal_sftp};
use crate::support::{LIMIT, client_of, expect_error, proxy_config, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_cut_at_any_byte_keeps_the_old_file() -> Result {
    let old = vec![b'o'; 100_000];
    let new: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    for after in [6_000, 200_000, 1_500_000, 3_000_000, 3_150_000] {
        let sshd = internal_sftp().start();
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let target = open_folder(&sshd).join("x");
        fs::write(&target, &old)?;
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
        let result = within_limit(host.put(new.clone(), target.display().to_string())).await;
        assert!(result.is_err(), "cut after {after} bytes");
        wait_until("the server has closed the connection", LIMIT, || sshd.connections() == 0);
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
async fn a_cut_get_keeps_the_old_file() -> Result {
    let fixture = fixture();
    let proxy = Proxy::to(fixture.sshd.addr()).cut_after(Direction::ToClient, 1_000_000, Cut::Reset);
    fs::write(fixture.remote("x"), vec![b'n'; 3 << 20])?;
    let here = fixture.file("x", "old");
    let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).build().connect("host")?;
    let cut = within_limit(host.get(fixture.remote("x").display().to_string(), here.display().to_string())).await;
    expect_error(cut, ErrorKind::Channel);
    assert_eq!(text(&here), "old");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_put_has_a_private_temporary_file_that_a_drop_removes() -> Result {
    let fixture = fixture();
    let large = vec![b'n'; 512 << 20];
    let scratch = fixture.sshd.scratch();
    let began = move || wait_until("the transfer has started", LIMIT, || !walk(&scratch).is_empty());
    let mut put = Box::pin(async { fixture.host.put(large, fixture.remote("x").display().to_string()).await });
    tokio::select! {
        done = &mut put => panic!("the transfer ended too early: {done:?}"),
        began = tokio::task::spawn_blocking(began) => began.expect("the transfer starts"),
    }
    let content = walk(&fixture.sshd.scratch()).remove(0);
    assert_eq!(mode(&content), 0o600, "{}", content.display());
    drop(put);
    fixture.host.client().expect("the connection has a client").close().await;
    assert_eq!(walk(&fixture.sshd.scratch()), Vec::<std::path::PathBuf>::new(), "`close` waits for the cleanup");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_removes_the_temporary_file_of_a_put() -> Result {
    let fixture = fixture();
    let large = vec![b'n'; 512 << 20];
    let client = fixture.host.client().expect("the connection has a client").clone();
    let (scratch, stop) = (fixture.sshd.scratch(), client.stop().clone());
    let stopped = tokio::task::spawn_blocking(move || {
        wait_until("the transfer has started", LIMIT, || !walk(&scratch).is_empty());
        stop.raise(StopLevel::Stop);
    });
    let put = within_limit(fixture.host.put(large, fixture.remote("x").display().to_string())).await;
    stopped.await.expect("the transfer starts");
    expect_error(put, ErrorKind::Cancelled);
    client.close().await;
    assert_eq!(walk(&fixture.sshd.scratch()), Vec::<std::path::PathBuf>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leftovers_of_cut_transfers_are_removed_after_a_day_and_newer_files_stay() -> Result {
    let fixture = fixture();
    let path = |name: &str| fixture.remote(name).display().to_string();
    // The login makes the files, so the leftovers belong to the login.
    let (old, new) = (".fabrs.0123456789abcdef", ".fabrs.fedcba9876543210");
    let (foreign, like) = (".fabrs.0000000000000000", ".fabrs.notes");
    for name in [old, new, like] {
        fixture.host.put(b"part of a file".to_vec(), path(name)).await?;
    }
    fs::write(fixture.remote(foreign), "of another user")?;
    let is_of_another = fs::metadata(fixture.remote(foreign))?.uid() != fs::metadata(fixture.remote(old))?.uid();
    for name in [old, like, foreign] {
        fs::File::open(fixture.remote(name))?.set_modified(SystemTime::now() - Duration::from_hours(25))?;
    }
    let client = client_of(&fixture.sshd, "").build();
    client.connect(fixture.sshd.alias())?.put(b"x".to_vec(), path("x")).await?;
    let names = |name: &&str| fixture.remote(name).exists();
    let left: Vec<_> = [old, new, like, foreign].into_iter().filter(names).collect();
    let expected = if is_of_another { vec![new, like, foreign] } else { vec![new, like] };
    assert_eq!(left, expected);
    client.close().await;
    Ok(())
}
