//! Two hundred commands of all kinds, stopped by all methods: no process remains and no channel is
//! lost.

use std::time::Duration;

use fabrs::Result;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_testing::{Account, Capability, Sshd, wait_until};
use futures::future::{join_all, try_join_all};

use super::commands::{CancelFixture, Kind};
use crate::support::{LIMIT, expect_error};

/// Returns `n` commands for an ordinary account, all kinds in turn.
fn plain_commands(n: usize, host: &Connection, mark: &str) -> Vec<Command> {
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

async fn stop_two_hundred_commands(max_sessions: usize) -> Result<()> {
    let server = Sshd::builder().max_sessions(max_sessions);
    let may_sudo = Capability::Sudo.is_available();
    let server = if may_sudo { server.users([Account::SudoNopasswd]) } else { server };
    let fixture = CancelFixture::of(server.start(), |builder| builder);
    let host = fixture.host();

    // With a single session the other commands queue. Each timeout counts from the start of its
    // command.
    let limit = Duration::from_millis(100);
    let timed = commands(68, &host, &fixture.mark).into_iter().map(|command| command.timeout(limit));
    for result in join_all(timed).await {
        expect_error(result, ErrorKind::Timeout);
    }
    fixture.wait_until_stopped();

    let spawned: Vec<_> = commands(66, &host, &fixture.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
    fixture.wait_until_running();
    drop(spawned);
    fixture.wait_until_stopped();

    let spawned: Vec<_> = commands(66, &host, &fixture.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
    fixture.wait_until_running();
    fixture.client.stop().raise(StopLevel::Stop);
    for result in join_all(spawned).await {
        expect_error(result, ErrorKind::Cancelled);
    }
    fixture.wait_until_stopped();

    // The next commands use the same connection: another run shares the session with the stopped
    // run.
    wait_until("every session is closed", LIMIT, || fixture.sshd.open_sessions() == 0);
    assert_eq!(fixture.sshd.connections(), 1);
    fixture.client.close().await;
    fixture.assert_no_unconfirmed_stop();
    try_join_all((0..10).map(|_| fixture.host_of_new_client().run("true"))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_stopped_commands_leave_no_process_with_one_session() -> Result<()> {
    stop_two_hundred_commands(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_stopped_commands_leave_no_process_with_ten_sessions() -> Result<()> {
    stop_two_hundred_commands(10).await
}

/// Ten lost channels would leave no channel for the eleventh command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_commands_release_their_channels() -> Result<()> {
    let fixture = CancelFixture::new(10);
    let host = fixture.host();
    for _ in 0..3 {
        let spawned: Vec<_> =
            plain_commands(10, &host, &fixture.mark).into_iter().map(Command::spawn).collect::<Result<_>>()?;
        fixture.wait_until_running();
        drop(spawned);
        fixture.wait_until_stopped();
        try_join_all((0..10).map(|_| host.run("true"))).await?;
    }
    assert_eq!(fixture.sshd.connections(), 1, "all commands use one connection");
    Ok(())
}
