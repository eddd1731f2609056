//! `MaxSessions`: the client detects the server's limit, and commands wait for a free session.

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::faults::Proxy;
use fabrs_testing::{Capability, Sshd, marker, processes_matching, wait_until};
use futures::future::try_join_all;

use crate::support::{LIMIT, client_of, connect, error_text, expect_error, proxy_config};

/// Runs commands in sequence and then concurrently, for each number of sessions that a server may
/// allow.
async fn assert_all_succeed(prefetch: bool) -> Result<()> {
    for max_sessions in [1, 2, 3, 10] {
        let sshd = Sshd::builder().max_sessions(max_sessions).start();
        let proxy = Proxy::to(sshd.addr());
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).prefetch_channel(prefetch).build().connect("host")?;
        for n in 0..10 {
            assert_eq!(host.run(cmd!("echo {n}")).line().await?, n.to_string());
        }
        for _ in 0..3 {
            let found = try_join_all((0..25).map(|n| host.run(cmd!("echo {n}")).line())).await?;
            assert!(found.into_iter().eq((0..25).map(|n| n.to_string())), "under {max_sessions}");
        }
        assert_eq!(proxy.accepted(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_wait_for_a_free_session() -> Result<()> {
    assert_all_succeed(false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_wait_for_a_free_session_with_prefetch() -> Result<()> {
    assert_all_succeed(true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_detected_limit_is_not_below_the_server_limit() -> Result<()> {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    // Each end of a command and start of another may be refused too early, and may lead to a wrong
    // limit.
    try_join_all((0..100).map(|_| host.run("true"))).await?;
    let mark = marker();
    let running = (0..10).map(|_| host.run(cmd!("sleep {mark}")).spawn()).collect::<Result<Vec<_>>>()?;
    wait_until("ten run at once", LIMIT, || {
        processes_matching(&mark).iter().filter(|process| process.cmdline.starts_with("sleep")).count() == 10
    });
    drop(running);
    wait_until("the commands have ended", LIMIT, || processes_matching(&mark).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_to_a_host_share_one_session() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let client = client_of(&sshd, &proxy_config(&proxy, &sshd)).build();
    let (one, other) = (client.connect("host")?, client.connect("host")?.cd("/"));
    // The connection is shared even if both connect at the same time.
    try_join_all([one.run("true"), other.run("true"), one.run("true")]).await?;
    assert_eq!(proxy.accepted(), 1);
    client.close().await;
    wait_until("the connection is closed", LIMIT, || sshd.connections() == 0);
    client.close().await;
    one.run("true").await?;
    assert_eq!(proxy.accepted(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_sessions_is_named() -> Result<()> {
    let sshd = Sshd::builder().max_sessions(0).start();
    let error = expect_error(connect(&sshd).run("true").await, ErrorKind::Connect);
    assert!(error_text(&error).contains("host: could not open a session"), "{error:?}");
    assert!(error_text(&error).contains("the server refused to open a session"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_does_not_run_without_its_pty() -> Result<()> {
    let sshd = Sshd::builder().option("PermitTTY", "no").start();
    let file = sshd.scratch().join("ran");
    let host = connect(&sshd);
    let error = expect_error(host.run(cmd!("touch {file}")).pty().await, ErrorKind::Connect);
    assert!(error.to_string().contains("the server provides no pty"), "{error}");
    host.run("true").await?;
    assert!(!file.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pty_is_a_terminal_that_merges_the_streams() -> Result<()> {
    if !Capability::Terminal.is_available() {
        return Ok(());
    }
    let sshd = Sshd::start();
    let output = connect(&sshd).run("test -t 0 && test -t 1 && echo out && echo err >&2; exit 3").pty().warn().await?;
    assert_eq!(output.status()?.shell_code(), 3);
    assert_eq!((output.stdout()?.replace('\r', "").as_str(), output.stderr()?.as_ref()), ("out\nerr\n", ""));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_a_pty_reads_end_of_file() -> Result<()> {
    if !Capability::Terminal.is_available() {
        return Ok(());
    }
    let sshd = Sshd::start();
    assert_eq!(connect(&sshd).run("cat; echo done").pty().timeout(secs(10)).line().await?, "done");
    // The terminal echoes the input before the count is printed.
    let output = connect(&sshd).run("wc -c").pty().stdin("four").timeout(secs(10)).await?;
    assert_eq!(output.stdout()?.trim(), "four4");
    Ok(())
}
