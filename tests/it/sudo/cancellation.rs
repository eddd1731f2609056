//! Cancellation under sudo: no process remains, including grandchildren. The processes are counted
//! as root.

use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs::{Command, Connection};
use fabrs_testing::{Account, marker, processes_matching, wait_until};

use super::SudoFixture;
use crate::support::{LIMIT, expect_error};

/// Accounts without a password, with a password, and with a separate terminal (`use_pty`).
const ACCOUNTS: [Account; 3] = [Account::SudoNopasswd, Account::Sudo, Account::SudoPty];

/// Returns commands of every shape. The mark identifies their processes.
fn shapes(host: &Connection, mark: &str) -> Vec<(&'static str, Command)> {
    let line = |text: String| ShellLine::raw(text);
    vec![
        ("plain words", host.sudo(line(format!("sleep {mark}")))),
        ("a shell", host.sudo(line(format!("sleep {mark}; true")))),
        ("a pipeline", host.sudo(line(format!("sleep {mark} | cat")))),
        ("a background child", host.sudo(line(format!("sleep {mark} & sleep {mark}; wait")))),
        ("one that ignores TERM", host.sudo(line(format!("trap '' TERM; sleep {mark}; true")))),
        ("one that reads", host.sudo(line(format!("sleep {mark}; cat"))).stdin("input")),
        ("one on a pty", host.sudo(line(format!("sleep {mark}; true"))).pty()),
        ("another user's", host.sudo(line(format!("sleep {mark}; true"))).user("nobody")),
    ]
}

async fn assert_stopped_by(stop: impl AsyncFn(Command, &str)) -> Result {
    for (account, max_sessions) in ACCOUNTS.into_iter().map(|account| (account, 10)).chain([(Account::SudoNopasswd, 1)])
    {
        let Some(fixture) = SudoFixture::with_sessions(account, max_sessions) else { return Ok(()) };
        let host = fixture.host();
        host.sudo("true; true").await?;
        for at in 0..shapes_count() {
            let mark = marker();
            let (shape, command) = shapes(&host, &mark).swap_remove(at);
            stop(command, &mark).await;
            wait_until(&format!("{account:?}: all processes of {shape} have ended"), LIMIT, || {
                processes_matching(&mark).is_empty()
            });
        }
        assert!(
            fixture.events.of_kind("unconfirmed_stop").is_empty(),
            "{account:?}: {:?}",
            fixture.events.of_kind("unconfirmed_stop")
        );
        host.close().await;
    }
    Ok(())
}

fn wait_until_sleeping(mark: &str) {
    wait_until("the command sleeps", LIMIT, || {
        processes_matching(mark).iter().any(|p| p.cmdline.starts_with("sleep "))
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_under_sudo_outlives_its_timeout() -> Result {
    assert_stopped_by(async |command: Command, _: &str| {
        expect_error(command.timeout(secs(1)).await, ErrorKind::Timeout);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_under_sudo_outlives_its_drop() -> Result {
    assert_stopped_by(async |command: Command, mark: &str| {
        let mark = mark.to_owned();
        tokio::select! {
            ended = command => panic!("the command ended by itself: {ended:?}"),
            sleeps = tokio::task::spawn_blocking(move || wait_until_sleeping(&mark)) => sleeps.expect("the command sleeps"),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_under_sudo_outlives_ctrl_c() -> Result {
    for account in ACCOUNTS {
        for at in 0..shapes_count() {
            let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
            let (host, mark) = (fixture.host(), marker());
            let (shape, command) = shapes(&host, &mark).swap_remove(at);
            let spawned = command.spawn()?;
            let sleeps = mark.clone();
            tokio::task::spawn_blocking(move || wait_until_sleeping(&sleeps)).await?;
            fixture.client.stop().raise(StopLevel::Stop);
            expect_error(spawned.await, ErrorKind::Cancelled);
            wait_until(&format!("{account:?}: all processes of {shape} have ended"), LIMIT, || {
                processes_matching(&mark).is_empty()
            });
            fixture.client.close().await;
            assert!(
                fixture.events.of_kind("unconfirmed_stop").is_empty(),
                "{account:?}: {:?}",
                fixture.events.of_kind("unconfirmed_stop")
            );
        }
    }
    Ok(())
}

fn shapes_count() -> usize {
    let nowhere = Client::builder().build().local().expect("this machine is always available");
    shapes(&nowhere, "0").len()
}
