//! Every kind of command, stopped by every method, with one session, with ten sessions, and on this
//! machine.

use fabrs::prelude::*;
use fabrs::{Error, Result};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};
use futures::future::try_join_all;

use super::lines::{Kind, Lab, Way, end};
use crate::support::{LIMIT, capture, refused};

/// Stops one command. Then ten commands run at once on the freed channels, and the server closes
/// every session.
async fn ended_on_the_server(kind: Kind, way: Way, max_sessions: usize) -> Result<()> {
    if matches!(kind, Kind::OnAPty) && !Capability::Terminal.is_available() {
        return Ok(());
    }
    let lab = Lab::new(max_sessions);
    let host = lab.host();
    end(way, &lab.client, kind.command(&host, &lab.mark), || lab.wait_until_it_runs()).await?;
    lab.wait_until_nothing_is_left();

    // A stopped run starts no further command, so another run takes over.
    let host = if matches!(way, Way::CtrlC) { lab.host_of_another_run() } else { host };
    try_join_all((0..10).map(|_| host.run("true"))).await?;
    wait_until("every session is closed", LIMIT, || lab.sshd.open_sessions() == 0);
    lab.client.close().await;
    lab.assert_nothing_is_named_as_left();
    Ok(())
}

macro_rules! matrix {
    ($($way:ident = $way_is:ident: $($kind:ident = $kind_is:ident),*);* $(;)?) => {$(
        mod $way {
            use super::*;
            $(
                mod $kind {
                    use super::*;

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn is_gone_under_one_session() -> Result<()> {
                        ended_on_the_server(Kind::$kind_is, Way::$way_is, 1).await
                    }

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn is_gone_under_ten_sessions() -> Result<()> {
                        ended_on_the_server(Kind::$kind_is, Way::$way_is, 10).await
                    }

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn is_gone_from_this_machine() -> Result<()> {
                        ended_here(Kind::$kind_is, Way::$way_is).await
                    }
                }
            )*
        }
    )*};
}

matrix! {
    after_a_timeout = Timeout:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, one_that_ignores_term = Stubborn;
    after_ctrl_c = CtrlC:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, one_that_ignores_term = Stubborn;
    after_a_drop = Drop:
        a_single_command = Single, a_pipeline = Pipeline, a_background_child = Background,
        a_command_on_a_pty = OnAPty, one_that_ignores_term = Stubborn;
}

async fn ended_here(kind: Kind, way: Way) -> Result<()> {
    let (told, sink) = capture();
    let client = Client::builder().sink(sink).build();
    let (host, mark) = (client.local()?, marker());
    let sleeps = || processes_matching(&mark).iter().any(|process| process.cmdline.starts_with("sleep "));
    let runs = || wait_until("the command runs", LIMIT, sleeps);
    end(way, &client, kind.command(&host, &mark), runs).await?;
    wait_until("nothing of it is left", LIMIT, || processes_matching(&mark).is_empty());
    client.close().await;
    assert_eq!(told.of_kind("unconfirmed_stop"), Vec::<serde_json::Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_shell_that_is_dash_ends_its_children_too() -> Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let lab = Lab::of(Sshd::builder().users([Account::Dash]).start(), |builder| builder);
    for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::Stubborn] {
        end(Way::Drop, &lab.client, kind.command(&lab.host(), &lab.mark), || lab.wait_until_it_runs()).await?;
        lab.wait_until_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_shells_end_their_children_too() -> Result<()> {
    for shell in ["busybox sh -c", "dash -c", "bash -l -c"] {
        for kind in [Kind::Single, Kind::Pipeline, Kind::Background, Kind::OnAPty, Kind::Stubborn] {
            for way in [Way::Timeout, Way::Drop] {
                let lab = Lab::new(10);
                let command = kind.command(&lab.host().with_shell(shell), &lab.mark);
                end(way, &lab.client, command, || lab.wait_until_it_runs()).await?;
                lab.wait_until_nothing_is_left();
                lab.assert_nothing_is_named_as_left();
            }
        }
    }
    Ok(())
}

/// sshd identifies a command by its leader. After the end of the leader, sshd rejects signals for
/// the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_can_not_end_is_named() -> Result<()> {
    for leader in ["exit 0", "wait"] {
        let lab = Lab::new(10);
        let (host, mark) = (lab.host(), &lab.mark);
        let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & {leader}"));
        let error = refused(host.run(&line).timeout(secs(1)).await, ErrorKind::Timeout);
        assert!(error.to_string().ends_with("ran longer than 1 second and may still be running"), "{error}");
        assert_eq!(processes_matching(mark).len(), 1, "it is really there");
        let named = lab.told.of_kind("unconfirmed_stop");
        assert_eq!(named.len(), 1, "{named:?}");
        assert_eq!((&named[0]["host"], &named[0]["command"]), (&"host".into(), &line.as_str().into()));
        // The command occupies neither a channel nor a session any longer.
        wait_until("its session is closed", LIMIT, || lab.sshd.open_sessions() == 0);
        try_join_all((0..10).map(|_| host.run("true"))).await?;
    }
    Ok(())
}

/// On this machine the process group, and so the ability to signal the group, outlives its leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_this_machine_a_child_whose_leader_has_ended_is_gone_too() -> Result<()> {
    let client = Client::builder().build();
    let mark = marker();
    let line = ShellLine::raw(format!("(trap '' TERM; exec sleep {mark}) & exit 0"));
    let error: Error = refused(client.local()?.run(&line).timeout(secs(1)).await, ErrorKind::Timeout);
    assert!(error.to_string().ends_with("and was ended"), "{error}");
    wait_until("nothing of it is left", LIMIT, || processes_matching(&mark).is_empty());
    Ok(())
}
