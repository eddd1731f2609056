//! Two hundred commands of all kinds, stopped by all methods: no process remains and no channel is
//! lost.

use std::time::Duration;

use fabrs::Result;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_testing::{Account, Capability, Sshd, wait_until};
use futures::future::{join_all, try_join_all};

use super::lines::{Kind, Lab};
use crate::support::{LIMIT, refused};

/// Returns `n` commands that need no special account, all kinds in turn.
fn plain(n: usize, host: &Connection, mark: &str) -> Vec<Command> {
    let kinds = [Kind::Single, Kind::Pipeline, Kind::Background];
    kinds.iter().cycle().take(n).map(|kind| kind.command(host, mark)).collect()
}

/// Returns `n` commands, all kinds in turn.
fn commands(n: usize, host: &Connection, mark: &str) -> Vec<Command> {
    let mut kinds = vec![Kind::Single, Kind::Pipeline, Kind::Background];
    if Capability::Terminal.is_available() {
        kinds.push(Kind::OnAPty);
    }
    if Capability::Sudo.is_available() {
        kinds.extend([Kind::UnderSudo, Kind::PipelineUnderSudo]);
    }
    kinds.iter().cycle().take(n).map(|kind| kind.command(host, mark)).collect()
}

async fn two_hundred(max_sessions: usize) -> Result<()> {
    let server = Sshd::builder().max_sessions(max_sessions);
    let may_sudo = Capability::Sudo.is_available();
    let server = if may_sudo { server.users([Account::SudoNopasswd]) } else { server };
    let lab = Lab::of(server.start(), |builder| builder);
    let host = lab.host();

    // With a single session the other commands queue. Each timeout counts from the start of its
    // command.
    let limit = Duration::from_millis(100);
    let timed = commands(68, &host, &lab.mark).into_iter().map(|command| command.timeout(limit));
    for result in join_all(timed).await {
        refused(result, ErrorKind::Timeout);
    }
    lab.wait_until_nothing_is_left();

    let spawned: Vec<_> = commands(66, &host, &lab.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
    lab.wait_until_it_runs();
    drop(spawned);
    lab.wait_until_nothing_is_left();

    let spawned: Vec<_> = commands(66, &host, &lab.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
    lab.wait_until_it_runs();
    lab.client.stop().raise(StopLevel::Stop);
    for result in join_all(spawned).await {
        refused(result, ErrorKind::Cancelled);
    }
    lab.wait_until_nothing_is_left();

    // The next commands use the same connection: another run shares the session with the stopped
    // run.
    wait_until("every session is closed", LIMIT, || lab.sshd.open_sessions() == 0);
    assert_eq!(lab.sshd.connections(), 1);
    lab.client.close().await;
    lab.assert_nothing_is_named_as_left();
    try_join_all((0..10).map(|_| lab.host_of_another_run().run("true"))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_leave_nothing_under_one_session() -> Result<()> {
    two_hundred(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_leave_nothing_under_ten_sessions() -> Result<()> {
    two_hundred(10).await
}

/// Ten lost channels would leave no channel for the eleventh command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_commands_give_their_channels_back() -> Result<()> {
    let lab = Lab::new(10);
    let host = lab.host();
    for _ in 0..3 {
        let spawned: Vec<_> = plain(10, &host, &lab.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
        lab.wait_until_it_runs();
        drop(spawned);
        lab.wait_until_nothing_is_left();
        try_join_all((0..10).map(|_| host.run("true"))).await?;
    }
    assert_eq!(lab.sshd.connections(), 1, "all on one connection");
    Ok(())
}
