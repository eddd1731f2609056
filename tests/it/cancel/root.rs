//! Root logins. sshd delivers no signals to commands of root, yet stopped commands end.

use std::time::Duration;

use fabrs::prelude::*;
use fabrs::{ErrorKind, Signal};
use fabrs_testing::{Account, Capability, Sshd, processes_matching, wait_until};

use super::commands::{CancelFixture, Kind, StopMethod, stop_command};
use crate::support::{LIMIT, expect_error, within_limit};

fn fixture() -> CancelFixture {
    CancelFixture::of(Sshd::builder().users([Account::Root]).start(), |builder| builder)
}

async fn assert_stopped(kind: Kind) {
    if !Capability::Accounts.is_available() {
        return;
    }
    let fixture = fixture();
    let host = fixture.host();
    expect_error(kind.command(&host, &fixture.mark).timeout(Duration::from_secs(1)).await, ErrorKind::Timeout);
    wait_until("all processes have ended", LIMIT, || processes_matching(&fixture.mark).is_empty());
    assert!(fixture.events.of_kind("unconfirmed_stop").is_empty(), "{:?}", fixture.events.of_kind("unconfirmed_stop"));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_command_of_root_ends() {
    assert_stopped(Kind::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_root_ends() {
    assert_stopped(Kind::Pipeline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_background_child_of_root_ends() {
    assert_stopped(Kind::Background).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_on_a_pty_ends() {
    assert_stopped(Kind::OnAPty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_command_that_ignores_sigterm_is_killed() {
    assert_stopped(Kind::Stubborn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_login_has_status_output_and_an_empty_stdin() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = fixture();
    let host = fixture.host();
    let output = host.cd("/tmp").env("X", "a 'b'").run("cat; pwd; echo $X; echo e >&2; exit 3").warn().await?;
    assert_eq!((output.lines()?, output.stderr()?.as_ref()), (vec!["/tmp".to_owned(), "a 'b'".to_owned()], "e\n"));
    assert_eq!(output.status()?, &ExitStatus::Code(3));
    let echoed = host.run("cat").stdin("given").hide(Hide::Both).await?;
    assert_eq!(echoed.line()?, "given");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_command_ends_after_the_loss_of_its_connection() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let proxied = fixture();
    let proxy = fabrs_testing::faults::Proxy::to(proxied.sshd.addr());
    let config = crate::support::proxy_config(&proxy, &proxied.sshd);
    let host = crate::support::client_of(&proxied.sshd, &config).build().connect(proxied.sshd.alias())?;
    let running = Kind::Single.command(&host, &proxied.mark).spawn()?;
    proxied.wait_until_running();
    proxy.cut_now(fabrs_testing::faults::Cut::Reset);
    expect_error(running.await, ErrorKind::Channel);
    wait_until("all processes have ended", LIMIT, || processes_matching(&proxied.mark).is_empty());
    Ok(())
}

/// The stdin of a root command. With an input, no watcher can read stdin.
#[derive(Debug, Clone, Copy)]
enum Input {
    Bytes,
    SecretVariable,
}

impl Input {
    fn apply_to(self, command: Command) -> Command {
        match self {
            Self::Bytes => command.stdin("given"),
            Self::SecretVariable => command.env("TOKEN", Secret::new("hunter2-hunter2")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_command_with_an_input_ends_with_every_stop_method() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for method in [StopMethod::Timeout, StopMethod::CtrlC, StopMethod::Drop] {
        for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::Stubborn] {
            for input in [Input::Bytes, Input::SecretVariable] {
                let fixture = fixture();
                let host = fixture.host();
                let command = input.apply_to(kind.command(&host, &fixture.mark));
                stop_command(method, &fixture.client, command, || fixture.wait_until_running()).await?;
                wait_until("all processes have ended", LIMIT, || processes_matching(&fixture.mark).is_empty());
                host.close().await;
                fixture.assert_no_unconfirmed_stop();
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_output_of_a_root_command_is_exact() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = fixture();
    let host = fixture.host();
    let output = host.run("cat; printf fab >&2; exit 3").stdin("given").hide(Hide::Both).warn().await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("given", "fab"));
    assert_eq!(output.status()?, &ExitStatus::Code(3));
    let silent = host.run("exec 2>&-; cat").stdin("given").hide(Hide::Both).await?;
    assert_eq!((silent.stdout()?.as_ref(), silent.stderr()?.as_ref()), ("given", ""));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sent_signal_reaches_a_root_command_without_stopping_it() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = fixture();
    let host = fixture.host();
    for has_input in [false, true] {
        let listens = fixture.sshd.scratch().join(format!("listens-{has_input}"));
        let command =
            host.run(cmd!("trap 'echo reloaded; exit 7' USR1; touch {listens}; while :; do sleep 0.05; done"));
        let command = if has_input { command.stdin_open() } else { command };
        let running = command.warn().spawn()?;
        wait_until("the command listens", LIMIT, || listens.exists());
        running.signal(Signal::new("USR1"))?;
        let output = within_limit(running).await?;
        assert_eq!(output.status()?, &ExitStatus::Code(7));
        assert_eq!(output.lines()?, ["reloaded"]);
    }
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_command_without_a_second_channel_is_reported() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = CancelFixture::of(Sshd::builder().users([Account::Root]).max_sessions(1).start(), |builder| builder);
    let host = fixture.host();
    let command = Kind::Single.command(&host, &fixture.mark).stdin("given");
    expect_error(command.timeout(Duration::from_millis(250)).await, ErrorKind::Timeout);
    assert_eq!(fixture.events.of_kind("unconfirmed_stop").len(), 1);
    host.close().await;
    // The process is reported as running, so the test has to kill the process.
    for process in processes_matching(&fixture.mark) {
        std::process::Command::new("kill").arg(process.pid.to_string()).status().expect("`kill` is installed");
    }
    wait_until("all processes have ended", LIMIT, || processes_matching(&fixture.mark).is_empty());
    Ok(())
}
