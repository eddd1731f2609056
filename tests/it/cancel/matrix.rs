//! Every kind of command, stopped by every method, with one session, with ten sessions, and on this
//! machine.

use fabrs::prelude::*;
use fabrs::{Error, Result};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};
use futures::future::try_join_all;

use super::commands::{CancelFixture, Kind, StopMethod, stop_command};
use crate::support::{LIMIT, capture, expect_error};

/// Stops a command. Then ten commands run at once on the freed channels, and the server closes
/// every session.
async fn assert_stopped_on_the_server(kind: Kind, method: StopMethod, max_sessions: usize) -> Result<()> {
    if matches!(kind, Kind::OnAPty) && !Capability::Terminal.is_available() {
        return Ok(());
    }
    let fixture = CancelFixture::new(max_sessions);
    let host = fixture.host();
    stop_command(method, &fixture.client, kind.command(&host, &fixture.mark), || fixture.wait_until_running()).await?;
    fixture.wait_until_stopped();

    // A stopped run starts no further command, so another run takes over.
    let host = if matches!(method, StopMethod::CtrlC) { fixture.host_of_new_client() } else { host };
    try_join_all((0..10).map(|_| host.run("true"))).await?;
    wait_until("every session is closed", LIMIT, || fixture.sshd.open_sessions() == 0);
    fixture.client.close().await;
    fixture.assert_no_unconfirmed_stop();
    Ok(())
}

macro_rules! matrix {
    ($($method:ident = $method_variant:ident: $($kind:ident = $kind_variant:ident),*);* $(;)?) => {$(
        mod $method {
            use super::*;
            $(
                mod $kind {
                    use super::*;

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn ends_with_one_session() -> Result<()> {
                        assert_stopped_on_the_server(Kind::$kind_variant, StopMethod::$method_variant, 1).await
                    }

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn ends_with_ten_sessions() -> Result<()> {
                        assert_stopped_on_the_server(Kind::$kind_variant, StopMethod::$method_variant, 10).await
                    }

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn ends_on_this_machine() -> Result<()> {
                        assert_stopped_on_this_machine(Kind::$kind_variant, StopMethod::$method_variant).await
                    }
                }
            )*
        }
    )*};
}

matrix! {
    after_a_timeout = Timeout:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, a_command_that_ignores_sigterm = Stubborn;
    after_ctrl_c = CtrlC:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, a_command_that_ignores_sigterm = Stubborn;
    after_a_drop = Drop:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, a_command_that_ignores_sigterm = Stubborn;
}

async fn assert_stopped_on_this_machine(kind: Kind, method: StopMethod) -> Result<()> {
    let (events, sink) = capture();
    let client = Client::builder().sink(sink).build();
    let (host, mark) = (client.local()?, marker());
    let sleeps = || processes_matching(&mark).iter().any(|process| process.cmdline.starts_with("sleep "));
    let runs = || wait_until("the command runs", LIMIT, sleeps);
    stop_command(method, &client, kind.command(&host, &mark), runs).await?;
    wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
    client.close().await;
    assert_eq!(events.of_kind("unconfirmed_stop"), Vec::<serde_json::Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_a_dash_login_shell_end() -> Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let fixture = CancelFixture::of(Sshd::builder().users([Account::Dash]).start(), |builder| builder);
    for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::Stubborn] {
        stop_command(StopMethod::Drop, &fixture.client, kind.command(&fixture.host(), &fixture.mark), || {
            fixture.wait_until_running();
        })
        .await?;
        fixture.wait_until_stopped();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_configured_shells_end() -> Result<()> {
    for shell in ["busybox sh -c", "dash -c", "bash -l -c"] {
        for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::OnAPty, Kind::Stubborn] {
            for method in [StopMethod::Timeout, StopMethod::Drop] {
                let fixture = CancelFixture::new(10);
                let command = kind.command(&fixture.host().with_shell(shell), &fixture.mark);
                stop_command(method, &fixture.client, command, || fixture.wait_until_running()).await?;
                fixture.wait_until_stopped();
                fixture.assert_no_unconfirmed_stop();
            }
        }
    }
    Ok(())
}

/// sshd identifies a command by its leader. After the end of the leader, sshd rejects signals for
/// the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_the_server_cannot_stop_is_reported() -> Result<()> {
    for leader in ["exit 0", "wait"] {
        let fixture = CancelFixture::new(10);
        let (host, mark) = (fixture.host(), &fixture.mark);
        let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & {leader}"));
        let error = expect_error(host.run(&line).timeout(secs(1)).await, ErrorKind::Timeout);
        assert!(error.to_string().ends_with("ran longer than 1 second and may still be running"), "{error}");
        assert_eq!(processes_matching(mark).len(), 1, "the process is running");
        let named = fixture.events.of_kind("unconfirmed_stop");
        assert_eq!(named.len(), 1, "{named:?}");
        assert_eq!((&named[0]["host"], &named[0]["command"]), (&"host".into(), &line.as_str().into()));
        // The command occupies neither a channel nor a session any longer.
        wait_until("its session is closed", LIMIT, || fixture.sshd.open_sessions() == 0);
        try_join_all((0..10).map(|_| host.run("true"))).await?;
    }
    Ok(())
}

/// On this machine the process group, and so the ability to signal the group, outlives its leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_child_of_an_ended_leader_is_stopped() -> Result<()> {
    let client = Client::builder().build();
    let mark = marker();
    let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & exit 0"));
    let error: Error = expect_error(client.local()?.run(&line).timeout(secs(1)).await, ErrorKind::Timeout);
    assert!(error.to_string().ends_with("and was ended"), "{error}");
    wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
    Ok(())
}
