//! Lost connections: never a success, and distinct from a failed command.

use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Group, Result};
use fabrs_testing::faults::{Cut, Direction, Proxy, RefusedPort};
use fabrs_testing::{Process, Sshd, wait_for, wait_until};
use futures::future::join_all;

use crate::support::{LIMIT, block, client_of, refused, through};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_in_the_middle_is_lost_and_never_a_success() -> Result<()> {
    for how in [Cut::Fin, Cut::Reset] {
        let sshd = Sshd::start();
        let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToClient, 200_000, how);
        let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
        let line = "echo begun; head -c 1000000 /dev/zero; echo never seen";
        let error = refused(host.run(line).hide(Hide::Both).await, ErrorKind::Channel);
        assert!(block(&error).contains("it may have done its work"), "{error:?}");
        let output = error.output().expect("something had arrived");
        assert!(output.stdout()?.starts_with("begun\n"), "{how:?}");
        refused(output.status(), ErrorKind::Channel);
        // The next command connects again. `warn` does not apply to a lost connection.
        host.run("true").await?;
        assert_eq!(proxy.accepted(), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_host_is_lost_and_not_failed() -> Result<()> {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let proxy = Proxy::to(sshd.addr());
    let client = client_of(&sshd, &through(&proxy, &sshd).replace("Host *", "Host web1")).build();
    let both = Group::of(&client, ["web1", "web2"])?;
    let outcomes = both.each(async |host: Connection| host.run("true").warn().await.map(drop)).await;
    assert_eq!(outcomes.failed().count(), 0);

    let go = sshd.scratch().join("go");
    let line = cmd!("echo ready; while ! test -e {go}; do sleep 0.01; done");
    let cut = async {
        wait_until("both run", LIMIT, || sshd.open_sessions() == 2);
        proxy.cut_now(Cut::Reset);
        wait_until("one is left", LIMIT, || sshd.connections() == 1);
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
async fn a_status_that_arrived_stays_though_the_connection_is_cut_before_the_close() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
    let pid = sshd.scratch().join("pid");
    let running = host.run(cmd!("echo $$ >{pid}; echo said; sleep 60 & exit 3")).spawn()?;
    let leader: i32 = wait_for("the leader runs", LIMIT, || std::fs::read_to_string(&pid).ok()?.trim().parse().ok());
    wait_until("sshd has waited for the leader", LIMIT, || {
        Process::find(leader).is_none() && !std::path::Path::new(&format!("/proc/{leader}")).exists()
    });
    // sshd answers in order: the response to this command follows the status.
    host.run("true").await?;
    proxy.cut_now(Cut::Reset);
    let error = refused(running.await, ErrorKind::Exit);
    let output = error.output().expect("it ended by itself");
    assert_eq!((output.status()?.shell_code(), output.tail(1)?.as_ref()), (3, "said"));
    // The background process may have written more output, so the output is not complete.
    refused(output.stdout(), ErrorKind::Truncated);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_given_up() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let config = format!("ServerAliveInterval 1\nServerAliveCountMax 1\n{}", through(&proxy, &sshd));
    let host = client_of(&sshd, &config).build().connect("host")?;
    host.run("true").await?;
    proxy.stall();
    let error = refused(host.run("true").await, ErrorKind::Channel);
    assert!(block(&error).contains("did not answer"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_does_not_keep_a_timeout_waiting() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
    let running = host.run("sleep 60").timeout(secs(1)).spawn()?;
    wait_until("it runs", LIMIT, || sshd.open_sessions() == 1);
    proxy.stall();
    let error = refused(running.await, ErrorKind::Timeout);
    assert!(error.to_string().ends_with("may still be running"), "nothing confirmed its end: {error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_refuses_or_never_answers_could_not_be_reached() -> Result<()> {
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
        let error = refused(client.connect(host)?.run("true").await, ErrorKind::Connect);
        assert!(error.to_string().contains(&format!("{host}: {words}")), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_beyond_max_startups_are_tried_again() -> Result<()> {
    let names: Vec<String> = (1..=10).map(|n| format!("web{n}")).collect();
    let sshd = Sshd::builder().option("MaxStartups", "1").aliases(names.iter().map(String::as_str)).start();
    let client = client_of(&sshd, "").build();
    let outcomes = Group::of(&client, &names)?.run("true").await;
    outcomes.all_ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_that_the_server_ended_is_opened_anew() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let host = client_of(&sshd, &through(&proxy, &sshd)).build().connect("host")?;
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
    tokio::time::timeout(LIMIT, again).await.expect("it opens again");
    assert_eq!(proxy.accepted(), 2);
    Ok(())
}

#[tokio::test]
async fn a_scripted_cut_is_told_like_a_real_one() -> Result<()> {
    let client = Client::builder().dial(Fake::new().on("true", FakeAnswer::connection_lost())).build();
    let outcomes = Group::of(&client, ["web1"])?.run("true").await;
    assert!(matches!(&outcomes.iter().next().expect("one host").1, Outcome::Lost(_)));
    let all = join_all([client.connect("web1")?.run("true").warn()]).await;
    assert!(all.iter().all(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Channel)));
    Ok(())
}
