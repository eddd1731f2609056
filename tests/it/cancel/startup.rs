//! Commands dropped before their start leave no process, channel or connection behind.

use std::time::Duration;

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::faults::{Direction, Proxy};
use fabrs_testing::{Sshd, marker, processes_matching, wait_until};
use futures::future::try_join_all;

use crate::support::{LIMIT, client_of, proxy_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_dropped_while_connecting_abandons_the_connection() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(100));
    let client = client_of(&sshd, &proxy_config(&proxy, &sshd)).build();
    let host = client.connect("host")?;
    let mark = marker();
    let spawned = host.run(cmd!("sleep {mark}")).spawn()?;
    wait_until("the server has been reached", LIMIT, || sshd.connections() == 1);
    drop(spawned);
    wait_until("the connection is abandoned", LIMIT, || sshd.connections() == 0);
    assert_eq!(processes_matching(&mark), []);
    host.run("true").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_dropped_while_connecting_keeps_the_connection_for_others() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(50));
    let client = client_of(&sshd, &proxy_config(&proxy, &sshd)).build();
    let host = client.connect("host")?;
    let first = host.run("true").spawn()?;
    wait_until("the server has been reached", LIMIT, || sshd.connections() == 1);
    let second = host.run("echo here").spawn()?;
    drop(first);
    assert_eq!(second.await?.line()?, "here");
    Ok(())
}

/// Drops a command after the request for its channel, before the server confirms the channel.
async fn drop_while_the_channel_opens(max_sessions: usize, prefetch: bool) -> Result<()> {
    let sshd = Sshd::builder().max_sessions(max_sessions).start();
    let proxy = Proxy::to(sshd.addr());
    let client = client_of(&sshd, &proxy_config(&proxy, &sshd)).prefetch_channel(prefetch).build();
    let host = client.connect("host")?;
    host.run("true").await?;
    let mark = marker();
    for _ in 0..3 {
        proxy.stall();
        let before = proxy.traffic(Direction::ToServer).segments;
        let spawned = host.run(cmd!("sleep {mark}")).spawn()?;
        wait_until("the channel was requested", LIMIT, || proxy.traffic(Direction::ToServer).segments > before);
        drop(spawned);
        proxy.resume();
        // The next command starts at once: the slot of the dropped command must stay reserved until
        // the server has closed the channel.
        host.run("true").await?;
    }
    try_join_all((0..10).map(|_| host.run("true"))).await?;
    wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
    wait_until("every session is closed", LIMIT, || sshd.open_sessions() == 0);
    assert_eq!(proxy.accepted(), 1, "all commands use one connection");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_channel_is_closed_with_one_session() -> Result<()> {
    drop_while_the_channel_opens(1, false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_channel_is_closed_with_one_session_and_prefetch() -> Result<()> {
    drop_while_the_channel_opens(1, true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_channel_is_closed_with_ten_sessions() -> Result<()> {
    drop_while_the_channel_opens(10, false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_channel_is_closed_with_ten_sessions_and_prefetch() -> Result<()> {
    drop_while_the_channel_opens(10, true).await
}

/// The race between the server's confirmation and the drop has a short window. Three hundred drops
/// at different times hit it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_dropped_at_any_time_of_their_start_leave_no_process() -> Result<()> {
    for prefetch in [false, true] {
        let sshd = Sshd::builder().max_sessions(2).start();
        let host = client_of(&sshd, "").prefetch_channel(prefetch).build().connect("host")?;
        host.run("true").await?;
        let mark = marker();
        for n in 0..300_u64 {
            let spawned = host.run(cmd!("sleep {mark}")).spawn()?;
            let moment = tokio::time::timeout(Duration::from_micros(n * 20), spawned).await;
            assert!(moment.is_err(), "the command is still running");
        }
        try_join_all((0..10).map(|_| host.run("true"))).await?;
        wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
        wait_until("every session is closed", LIMIT, || sshd.open_sessions() == 0);
    }
    Ok(())
}
