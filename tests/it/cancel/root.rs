//! Root logins. sshd delivers no signals to commands of root, yet stopped commands end.

use std::time::Duration;

use fabrs::prelude::*;
use fabrs::{ErrorKind, Signal};
use fabrs_testing::{Account, Capability, Sshd, processes_matching, wait_until};

use super::lines::{Kind, Lab, Way, end};
use crate::support::{LIMIT, refused, soon};

fn lab() -> Lab {
    Lab::of(Sshd::builder().users([Account::Root]).start(), |builder| builder)
}

async fn ends(kind: Kind) {
    if !Capability::Accounts.is_available() {
        return;
    }
    let lab = lab();
    let host = lab.host();
    refused(kind.command(&host, &lab.mark).timeout(Duration::from_secs(1)).await, ErrorKind::Timeout);
    wait_until("nothing of it is left", LIMIT, || processes_matching(&lab.mark).is_empty());
    assert!(lab.told.of_kind("unconfirmed_stop").is_empty(), "{:?}", lab.told.of_kind("unconfirmed_stop"));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_command_of_root_ends() {
    ends(Kind::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_root_ends() {
    ends(Kind::Pipeline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_background_child_of_root_ends() {
    ends(Kind::Background).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_on_a_pty_ends() {
    ends(Kind::OnAPty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_that_heeds_no_term_is_killed() {
    ends(Kind::Stubborn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_gets_status_output_and_an_empty_input_as_everybody() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = lab();
    let host = lab.host();
    let output = host.cd("/tmp").env("X", "a 'b'").run("cat; pwd; echo $X; echo e >&2; exit 3").warn().await?;
    assert_eq!((output.lines()?, output.stderr()?.as_ref()), (vec!["/tmp".to_owned(), "a 'b'".to_owned()], "e\n"));
    assert_eq!(output.status()?, &ExitStatus::Code(3));
    let echoed = host.run("cat").stdin("given").hide(Hide::Both).await?;
    assert_eq!(echoed.line()?, "given");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_ends_when_its_connection_is_gone() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let proxied = lab();
    let proxy = fabrs_testing::faults::Proxy::to(proxied.sshd.addr());
    let way = crate::support::through(&proxy, &proxied.sshd);
    let host = crate::support::client_of(&proxied.sshd, &way).build().connect(proxied.sshd.alias())?;
    let running = Kind::Single.command(&host, &proxied.mark).spawn()?;
    proxied.wait_until_it_runs();
    proxy.cut_now(fabrs_testing::faults::Cut::Reset);
    refused(running.await, ErrorKind::Channel);
    wait_until("nothing of it is left", LIMIT, || processes_matching(&proxied.mark).is_empty());
    Ok(())
}

/// The stdin of a root command. With an input, no watcher can read in its place.
#[derive(Debug, Clone, Copy)]
enum Input {
    Bytes,
    SecretVariable,
}

impl Input {
    fn given_to(self, command: Command) -> Command {
        match self {
            Self::Bytes => command.stdin("given"),
            Self::SecretVariable => command.env("TOKEN", Secret::new("hunter2-hunter2")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_root_runs_with_an_input_of_its_own_ends_however_it_is_ended() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    for way in [Way::Timeout, Way::CtrlC, Way::Drop] {
        for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::Stubborn] {
            for input in [Input::Bytes, Input::SecretVariable] {
                let lab = lab();
                let host = lab.host();
                let command = input.given_to(kind.command(&host, &lab.mark));
                end(way, &lab.client, command, || lab.wait_until_it_runs()).await?;
                wait_until("nothing of it is left", LIMIT, || processes_matching(&lab.mark).is_empty());
                host.close().await;
                lab.assert_nothing_is_named_as_left();
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_root_writes_nothing_is_lost_or_added() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = lab();
    let host = lab.host();
    let output = host.run("cat; printf fab >&2; exit 3").stdin("given").hide(Hide::Both).warn().await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("given", "fab"));
    assert_eq!(output.status()?, &ExitStatus::Code(3));
    let silent = host.run("exec 2>&-; cat").stdin("given").hide(Hide::Both).await?;
    assert_eq!((silent.stdout()?.as_ref(), silent.stderr()?.as_ref()), ("given", ""));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_of_the_users_own_reaches_what_root_runs_and_ends_nothing_else() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = lab();
    let host = lab.host();
    for has_input in [false, true] {
        let listens = lab.sshd.scratch().join(format!("listens-{has_input}"));
        let command =
            host.run(cmd!("trap 'echo reloaded; exit 7' USR1; touch {listens}; while :; do sleep 0.05; done"));
        let command = if has_input { command.stdin_open() } else { command };
        let running = command.warn().spawn()?;
        wait_until("it listens", LIMIT, || listens.exists());
        running.signal(Signal::new("USR1"))?;
        let output = soon(running).await?;
        assert_eq!(output.status()?, &ExitStatus::Code(7));
        assert_eq!(output.lines()?, ["reloaded"]);
    }
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_reached_over_another_channel_is_named() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = Lab::of(Sshd::builder().users([Account::Root]).max_sessions(1).start(), |builder| builder);
    let host = lab.host();
    let command = Kind::Single.command(&host, &lab.mark).stdin("given");
    refused(command.timeout(Duration::from_millis(250)).await, ErrorKind::Timeout);
    assert_eq!(lab.told.of_kind("unconfirmed_stop").len(), 1);
    host.close().await;
    // The process is reported as running, so the test has to kill it.
    for process in processes_matching(&lab.mark) {
        std::process::Command::new("kill").arg(process.pid.to_string()).status().expect("`kill` is everywhere");
    }
    wait_until("nothing of it is left", LIMIT, || processes_matching(&lab.mark).is_empty());
    Ok(())
}
