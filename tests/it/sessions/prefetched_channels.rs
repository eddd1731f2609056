//! Prefetched channels: with a prefetched channel a command takes one round trip, and otherwise
//! two.

use std::time::Duration;

use fabrs::Result;
use fabrs_testing::Sshd;
use fabrs_testing::faults::Proxy;

use crate::support::{client_of, proxy_config};

/// The number of counted commands.
const COMMANDS: usize = 10;

/// Returns the number of round trips of ten commands, after a first command.
async fn round_trips(prefetch: bool, max_sessions: usize) -> Result<usize> {
    let sshd = Sshd::builder().max_sessions(max_sessions).start();
    // The delay keeps the packets of one flight together.
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(30));
    let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).prefetch_channel(prefetch).build().connect("host")?;
    host.run("true").await?;
    let before = proxy.round_trips();
    for _ in 0..COMMANDS {
        host.run("true").await?;
    }
    Ok(proxy.round_trips() - before)
}

/// Returns the smallest of several counts. A busy machine can only add round trips.
async fn min_round_trips(prefetch: bool, max_sessions: usize) -> Result<usize> {
    let mut least = usize::MAX;
    for _ in 0..3 {
        least = least.min(round_trips(prefetch, max_sessions).await?);
        if least <= COMMANDS {
            break;
        }
    }
    Ok(least)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefetched_channel_saves_a_round_trip() -> Result<()> {
    let round_trips = min_round_trips(true, 10).await?;
    assert!(round_trips <= COMMANDS + 1, "{round_trips} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_first_command_of_a_sequence_takes_two_round_trips() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(30));
    let mut least = usize::MAX;
    for _ in 0..3 {
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
        host.connect().await?;
        let before = proxy.round_trips();
        for _ in 0..=COMMANDS {
            host.run("true").await?;
        }
        least = least.min(proxy.round_trips() - before);
        host.close().await;
    }
    // The last round trip is the CLOSE of the last channel. No command waits for it.
    assert!(least <= 2 + COMMANDS + 1, "{least} for {COMMANDS} commands after a first");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_prefetch_takes_two_round_trips() -> Result<()> {
    let round_trips = round_trips(false, 10).await?;
    assert!(round_trips >= COMMANDS * 2 - 1, "{round_trips} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_suffice_for_prefetch() -> Result<()> {
    let round_trips = min_round_trips(true, 2).await?;
    assert!(round_trips <= COMMANDS + 2, "{round_trips} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_with_a_single_session_takes_two_round_trips() -> Result<()> {
    let round_trips = round_trips(true, 1).await?;
    assert!(round_trips >= COMMANDS * 2 - 1, "{round_trips} for {COMMANDS} commands");
    Ok(())
}
