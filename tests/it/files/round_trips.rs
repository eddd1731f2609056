//! The number of round trips of a transfer, on an open connection.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use fabrs::prelude::*;
use fabrs_testing::Sshd;
use fabrs_testing::faults::Proxy;

use crate::support::{client_of, proxy_config};

/// The number of measured transfers.
const TRANSFERS: usize = 5;

/// Asserts the number of round trips: how often the client sends after the server has sent. The
/// smallest of several counts is used, because a busy machine can only add round trips.
async fn assert_round_trips(
    name: &str,
    expected: usize,
    transfer: impl AsyncFn(&Connection, &Path, &Path, usize) -> fabrs::Result<()>,
) -> fabrs::Result<()> {
    let sshd = Sshd::start();
    let here = tempfile::tempdir().expect("a temporary directory");
    let mut least = usize::MAX;
    for count in 0..5 {
        // The delay keeps the packets of one flight together. A busy machine needs a longer delay.
        let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(30 << count));
        let there = sshd.scratch().join(count.to_string());
        fs::create_dir(&there).expect("the directory is ours");
        fs::set_permissions(&there, fs::Permissions::from_mode(0o777)).expect("the directory is ours");
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
        transfer(&host, here.path(), &there, TRANSFERS).await?;
        let before = proxy.round_trips();
        for number in 0..TRANSFERS {
            transfer(&host, here.path(), &there, number).await?;
        }
        // If the machine stalls for longer than the delay, two flights look like one. Such a count
        // is discarded.
        let turns = proxy.round_trips() - before;
        if turns >= expected * TRANSFERS {
            least = least.min(turns);
        }
        host.close().await;
        if least <= expected * TRANSFERS + 1 {
            break;
        }
    }
    assert!((expected * TRANSFERS..=expected * TRANSFERS + 1).contains(&least), "{name}: {least} for {TRANSFERS}");
    Ok(())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_takes_one_round_trip_unchanged_and_three_changed() -> Result {
    assert_round_trips("the same", 1, async |host, _, there, _| host.append(path(there, "x"), "known").await.map(drop))
        .await?;
    // The file is read first. sshd accepts no input before a program runs, so the content follows
    // its command a round trip later.
    let other = async |host: &Connection, _: &Path, there: &Path, number| {
        host.append(path(there, "x"), format!("line {number}")).await.map(drop)
    };
    assert_round_trips("another", 3, other).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_takes_one_round_trip_unchanged_and_two_new() -> Result {
    let same = async |host: &Connection, here: &Path, there: &Path, _| {
        fs::write(here.join("x"), "content").expect("the directory is ours");
        host.put(here.join("x"), path(there, "x")).await.map(drop)
    };
    assert_round_trips("the same", 1, same).await?;
    let new = async |host: &Connection, here: &Path, there: &Path, number: usize| {
        fs::write(here.join("x"), number.to_string()).expect("the directory is ours");
        host.put(here.join("x"), path(there, "x")).await.map(drop)
    };
    assert_round_trips("another", 2, new).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_takes_two_round_trips_new_and_three_compared() -> Result {
    let tree = |here: &Path, content: &str| {
        let root = here.join("tree");
        fs::create_dir_all(root.join("folder")).expect("the directory is ours");
        for name in ["one", "folder/two", "folder/three"] {
            fs::write(root.join(name), content).expect("the directory is ours");
        }
        root
    };
    let same = async |host: &Connection, here: &Path, there: &Path, _| {
        host.put(tree(here, "content"), path(there, "tree")).await.map(drop)
    };
    assert_round_trips("the same", 3, same).await?;
    let new = async |host: &Connection, here: &Path, there: &Path, number: usize| {
        host.put(tree(here, "content"), path(there, &number.to_string())).await.map(drop)
    };
    assert_round_trips("new", 2, new).await?;
    Ok(())
}
