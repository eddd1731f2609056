//! Lost connections: never a success, and distinct from a failed command.

use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Group, Result};
use fabrs_testing::faults::{Cut, Direction, Proxy, RefusedPort};
use fabrs_testing::{Process, Sshd, wait_for, wait_until};
use futures::future::join_all;

use crate::support::{LIMIT, client_of, error_text, expect_error, proxy_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_during_a_command_is_lost() -> Result<()> {
    for how in [Cut::Fin, Cut::Reset] {
        let sshd = Sshd::start();
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToClient, 200_000, how);
        let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
        let line = "echo begun; head -c 1000000 /dev/zero; echo never seen";
        let error = expect_error(host.run(line).hide(Hide::Both).await, ErrorKind::Channel);
        assert!(error_text(&error).contains("the command may have completed"), "{error:?}");
        let output = error.output().expect("some output arrived");
        assert!(output.stdout()?.starts_with("begun\n"), "{how:?}");
        expect_error(output.status(), ErrorKind::Channel);
        // The next command connects again. `warn` does not apply to a lost connection.
        host.run("true").await?;
        assert_eq!(proxy.accepted(), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_host_is_distinct_from_a_failed_host() -> Result<()> {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let proxy = Proxy::to(sshd.addr());
    let client = client_of(&sshd, &proxy_config(&proxy, &sshd).replace("Host *", "Host web1")).build();
    let both = Group::of(&client, ["web1", "web2"])?;
    let outcomes = both.each(async |host: Connection| host.run("true").warn().await.map(drop)).await;
    assert_eq!(outcomes.failed().count(), 0);

    let go = sshd.scratch().join("go");
    let line = cmd!("echo ready; while ! test -e {go}; do sleep 0.01; done");
    let cut = async {
        wait_until("both commands run", LIMIT, || sshd.open_sessions() == 2);
        proxy.cut_now(Cut::Reset);
        wait_until("one connection remains", LIMIT, || sshd.connections() == 1);
        std::fs::write(&go, "").expect("the directory is ours");
    };
    let (outcomes, ()) = tokio::join!(both.each(async |host: Connection| host.run(&line).warn().await), cut);
    let words: Vec<_> = outcomes.iter().map(|(host, outcome)| (host.name(), outcome.kind().as_str())).collect();
    assert_eq!(words, [("web1", "lost"), ("web2", "ok")]);
    Ok(())
}

/// sshd sends the status when the leader ends, and closes the channel when the last process has
/// closed its output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_received_status_survives_a_cut_before_the_close() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
    let pid = sshd.scratch().join("pid");
    let running = host.run(cmd!("echo $$ >{pid}; echo said; sleep 60 & exit 3")).spawn()?;
    let leader: i32 = wait_for("the leader runs", LIMIT, || std::fs::read_to_string(&pid).ok()?.trim().parse().ok());
    wait_until("sshd has waited for the leader", LIMIT, || {
        Process::find(leader).is_none() && !std::path::Path::new(&format!("/proc/{leader}")).exists()
    });
    // sshd answers in order: the response to this command follows the status.
    host.run("true").await?;
    proxy.cut_now(Cut::Reset);
    let error = expect_error(running.await, ErrorKind::Exit);
    let output = error.output().expect("the command ended by itself");
    assert_eq!((output.status()?.shell_code(), output.tail(1)?.as_ref()), (3, "said"));
    // The background process may have written more output, so the output is not complete.
    expect_error(output.stdout(), ErrorKind::Truncated);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_abandoned() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let config = format!("ServerAliveInterval 1\nServerAliveCountMax 1\n{}", proxy_config(&proxy, &sshd));
    let host = client_of(&sshd, &config).build().connect("host")?;
    host.run("true").await?;
    proxy.stall();
    let error = expect_error(host.run("true").await, ErrorKind::Channel);
    assert!(error_text(&error).contains("did not answer"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_does_not_delay_a_timeout() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
    let running = host.run("sleep 60").timeout(secs(1)).spawn()?;
    wait_until("the command runs", LIMIT, || sshd.open_sessions() == 1);
    proxy.stall();
    let error = expect_error(running.await, ErrorKind::Timeout);
    assert!(error.to_string().ends_with("may still be running"), "nothing confirmed its end: {error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusing_or_silent_host_is_unreachable() -> Result<()> {
    let sshd = Sshd::start();
    let (refusing, silent) = (RefusedPort::reserve(), Proxy::silent());
    let config = format!(
        "ConnectTimeout 1\nHost refusing\n    HostName 127.0.0.1\n    Port {}\nHost silent\n    HostName 127.0.0.1\n    Port {}\nHost unknown\n    HostName no-such-name.invalid\n",
        refusing.addr().port(),
        silent.port()
    );
    let client = client_of(&sshd, &config).build();
    for (host, words) in [
        ("refusing", format!("could not connect to 127.0.0.1 port {}", refusing.addr().port())),
        ("silent", format!("no answer from 127.0.0.1 port {}", silent.port())),
        ("unknown", "could not connect to no-such-name.invalid".to_owned()),
    ] {
        let error = expect_error(client.connect(host)?.run("true").await, ErrorKind::Connect);
        assert!(error.to_string().contains(&format!("{host}: {words}")), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_beyond_max_startups_are_retried() -> Result<()> {
    let names: Vec<String> = (1..=10).map(|n| format!("web{n}")).collect();
    let sshd = Sshd::builder().option("MaxStartups", "1").aliases(names.iter().map(String::as_str)).start();
    let client = client_of(&sshd, "").build();
    let outcomes = Group::of(&client, &names)?.run("true").await;
    outcomes.all_ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_closed_by_the_server_is_reopened() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &proxy_config(&proxy, &sshd)).build().connect("host")?;
    host.run("true").await?;
    proxy.cut_now(Cut::Fin);
    // Until the client has detected the close, a command fails with a lost connection.
    let again = async {
        loop {
            match host.run("true").await {
                Ok(_) => break,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Channel | ErrorKind::Connect), "{error:?}");
                }
            }
        }
    };
    tokio::time::timeout(LIMIT, again).await.expect("the connection reopens");
    assert_eq!(proxy.accepted(), 2);
    Ok(())
}

#[tokio::test]
async fn a_scripted_cut_equals_a_real_cut() -> Result<()> {
    let client = Client::builder().dial(Fake::new().on("true", FakeAnswer::connection_lost())).build();
    let outcomes = Group::of(&client, ["web1"])?.run("true").await;
    assert!(matches!(&outcomes.iter().next().expect("one host").1, Outcome::Lost(_)));
    let all = join_all([client.connect("web1")?.run("true").warn()]).await;
    assert!(all.iter().all(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Channel)));
    Ok(())
}
