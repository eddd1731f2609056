//! Prefetched channels: with a prefetched channel a command takes one round trip, and otherwise
//! two.

use std::time::Duration;

use fabrs::Result;
use fabrs_testing::Sshd;
use fabrs_testing::faults::Proxy;

use crate::support::{client_of, through};

/// The number of counted commands.
const COMMANDS: usize = 10;

/// Returns the number of round trips of ten commands, after a first command.
async fn turns(ahead: bool, max_sessions: usize) -> Result<usize> {
    let sshd = Sshd::builder().max_sessions(max_sessions).start();
    // The delay keeps the packets of one flight together.
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(30));
    let host = client_of(&sshd, &through(&proxy, &sshd)).prefetch_channel(ahead).build().connect("host")?;
    host.run("true").await?;
    let before = proxy.round_trips();
    for _ in 0..COMMANDS {
        host.run("true").await?;
    }
    Ok(proxy.round_trips() - before)
}

/// Returns the smallest of several counts. A busy machine can only add round trips.
async fn fewest_turns(ahead: bool, max_sessions: usize) -> Result<usize> {
    let mut least = usize::MAX;
    for _ in 0..3 {
        least = least.min(turns(ahead, max_sessions).await?);
        if least <= COMMANDS {
            break;
        }
    }
    Ok(least)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_costs_one_round_trip() -> Result<()> {
    let turns = fewest_turns(true, 10).await?;
    assert!(turns <= COMMANDS + 1, "{turns} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_sequence_the_first_command_costs_two_and_each_further_one_costs_one() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr()).delay_both(Duration::from_millis(30));
    let mut least = usize::MAX;
    for _ in 0..3 {
        let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
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
async fn without_it_a_command_costs_two() -> Result<()> {
    let turns = turns(false, 10).await?;
    assert!(turns >= COMMANDS * 2 - 1, "{turns} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_are_enough_for_it() -> Result<()> {
    let turns = fewest_turns(true, 2).await?;
    assert!(turns <= COMMANDS + 2, "{turns} for {COMMANDS} commands");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_one_session_a_command_costs_two() -> Result<()> {
    let turns = turns(true, 1).await?;
    assert!(turns >= COMMANDS * 2 - 1, "{turns} for {COMMANDS} commands");
    Ok(())
}
