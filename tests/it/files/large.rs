//! Large files: parts are sent over as many channels as the server allows.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::{Account, Sshd, wait_until};

use super::sftp::internal_sftp;
use super::trees::fixture_with_programs;
use super::{FileFixture, mode, open_folder, walk};
use crate::support::{LIMIT, capture, client_of, proxy_config, within_limit};

/// Returns bytes without repetition. The size is not a multiple of the block size.
fn large_content() -> Vec<u8> {
    (0..(20 << 20) / 8 + 77_u64).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_form_one_file_with_any_number_of_sessions() -> Result {
    let content = large_content();
    for (sessions, server) in [1, 2, 3, 10]
        .into_iter()
        .flat_map(|sessions| [Sshd::builder(), internal_sftp()].map(|server| (sessions, server.max_sessions(sessions))))
    {
        let fixture = FileFixture::of(server.start());
        let (file, target) = (fixture.file("large", &content), fixture.remote("large"));
        let put = || fixture.host.put(&file, target.display().to_string());
        assert!(within_limit(put()).await?.any()?);
        assert!(fs::read(&target)? == content, "{sessions} sessions");
        assert_eq!(mode(&target), 0o644);
        assert!(!within_limit(put()).await?.any()?, "the file is not sent again");
        let mut other = content.clone();
        if let Some(byte) = other.last_mut() {
            *byte ^= 1;
        }
        assert!(
            within_limit(fixture.host.put(other.clone(), target.display().to_string())).await?.any()?,
            "of the same size"
        );
        assert!(fs::read(&target)? == other, "{sessions} sessions");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_large_files_of_a_tree_share_the_sessions_of_a_server() -> Result {
    let fixture = FileFixture::of(Sshd::builder().max_sessions(4).start());
    let content = large_content();
    for n in 0..6 {
        fixture.file(&format!("tree/{n}"), &content);
    }
    let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
    assert_eq!(within_limit(fixture.host.put(tree, target.display().to_string())).await?.changed()?.len(), 6);
    assert!(walk(&target).iter().all(|path| fs::read(path).is_ok_and(|read| read == content)));
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_in_parts_cut_at_any_byte_keeps_the_old_file() -> Result {
    let (old, new) = (vec![b'o'; 100_000], large_content());
    for (after, server) in [8_000_u64, 1 << 20, 10 << 20, 20 << 20]
        .into_iter()
        .flat_map(|after| [(after, None), (after, Some(internal_sftp()))])
    {
        let gives_shell = server.is_none();
        let sshd = server.map_or_else(Sshd::start, fabrs_testing::SshdBuilder::start);
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let target = open_folder(&sshd).join("x");
        fs::write(&target, &old)?;
        let (_, sink) = capture();
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).sink(sink).build().connect("host")?;
        let result = within_limit(host.put(new.clone(), target.display().to_string())).await;
        assert!(result.is_err(), "cut after {after} bytes");
        if gives_shell {
            wait_until("the host has cleaned up", LIMIT, || walk(&sshd.scratch()) == [target.clone()]);
        } else {
            wait_until("the server has closed the connection", LIMIT, || sshd.connections() == 0);
        }
        assert!(fs::read(&target)? == old, "cut after {after} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_written_by_root_under_sudo() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (content, target) = (large_content(), folder.path().join("x"));
    let host = fixture.host();
    within_limit(host.put(content.clone(), target.display().to_string()).sudo().mode(0o600)).await?;
    assert!(fs::read(&target)? == content && mode(&target) == 0o600);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_uploaded_to_several_hosts_at_once() -> Result {
    let fixture = FileFixture::of(Sshd::builder().aliases(["one", "two", "three"]).start());
    let content: Vec<u8> = (0..=250_u8).cycle().take(20 << 20).collect();
    let file = fixture.file("x", &content);
    let client = client_of(&fixture.sshd, "").build();
    let put = |name: &'static str| {
        let (host, to) = (client.connect(name), fixture.remote(name).display().to_string());
        let file = file.clone();
        async move { within_limit(host?.put(&file, to).verify()).await?.any() }
    };
    let put = futures::join!(put("one"), put("two"), put("three"));
    assert!(put.0? && put.1? && put.2?);
    for name in ["one", "two", "three"] {
        assert!(fs::read(fixture.remote(name))? == content, "{name}");
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_changed_blocks_of_a_large_file_are_sent() -> Result {
    let hosts = [
        (FileFixture::new(), true),
        (fixture_with_programs(&["sha256sum", "dd", "python3"], false), true),
        (fixture_with_programs(&["sha256sum", "dd"], false), false),
        (fixture_with_programs(&["perl", "dd"], false), false),
        (fixture_with_programs(&["sha256sum", "dd"], true), false),
    ];
    for (n, (fixture, is_known)) in hosts.into_iter().enumerate() {
        let (old, target) = (large_content(), fixture.remote("x"));
        let mut new = old.clone();
        new[(5 << 20) + 3] ^= 1;
        new.extend_from_slice(b"more at the end");
        let to = target.display().to_string();
        within_limit(fixture.host.put(old.clone(), to.clone()).mode(0o640)).await?;
        for content in [&new, &old] {
            let proxy = Proxy::to(fixture.sshd.addr());
            let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).build().connect("host")?;
            assert!(within_limit(host.put(content.clone(), to.clone())).await?.any()?);
            assert!(&fs::read(&target)? == content, "host {n}");
            assert_eq!(mode(&target), 0o640);
            let sent = proxy.traffic(Direction::ToServer).bytes;
            assert_eq!(sent < 4 << 20, is_known, "host {n}: {sent} bytes");
            assert!(!within_limit(host.put(content.clone(), to.clone())).await?.any()?);
            host.client().expect("the connection has a client").close().await;
        }
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_of_a_sparse_file_are_not_sent() -> Result {
    for (n, server) in [Sshd::builder(), internal_sftp()].into_iter().enumerate() {
        let fixture = FileFixture::of(server.start());
        let file = fixture.file("disk", "begin");
        let disk = fs::File::options().write(true).open(&file)?;
        disk.set_len(40 << 20)?;
        disk.write_all_at(b"in the middle", 21 << 20)?;
        let target = fixture.remote("disk");
        let proxy = Proxy::to(fixture.sshd.addr());
        let host = client_of(&fixture.sshd, &proxy_config(&proxy, &fixture.sshd)).build().connect("host")?;
        assert!(within_limit(host.put(&file, target.display().to_string()).verify()).await?.any()?);
        assert!(fs::read(&target)? == fs::read(&file)?, "{n}");
        let (sent, kept) = (proxy.traffic(Direction::ToServer).bytes, fs::metadata(&target)?.blocks() * 512);
        assert!(sent < 8 << 20 && kept < 8 << 20, "{n}: {sent} bytes were sent, {kept} are kept");
        disk.write_all_at(b"now", 21 << 20)?;
        assert!(within_limit(host.put(&file, target.display().to_string())).await?.any()?);
        assert!(fs::read(&target)? == fs::read(&file)?, "{n}");
        assert!(fs::metadata(&target)?.blocks() * 512 < 8 << 20, "{n}: and it stays sparse");
        host.client().expect("the connection has a client").close().await;
    }
    Ok(())
}
