//! Locks on hosts: only one run at a time, and no change by a run that has lost its lock.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use fabrs::config::{Inventory, Mode, parse_host_args};
use fabrs::prelude::*;
use fabrs::{Client, Connection};
use fabrs_testing::{Capability, Sshd};

use crate::support::{
    capture, client_of, connect, event_texts, execute, expect_error, outcome_lines, settings, ssh_config, within_limit,
};

/// A server with a lock directory writable for the login.
struct LockFixture {
    sshd: Sshd,
    folder: PathBuf,
}

impl LockFixture {
    fn start(sshd: Sshd) -> Self {
        let folder = sshd.scratch().join("locks");
        fs::create_dir(&folder).expect("the scratch folder is ours");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("the directory is ours");
        Self { sshd, folder }
    }

    fn client(&self) -> Client {
        client_of(&self.sshd, "").build()
    }

    fn lock_request(&self, host: &Connection) -> fabrs::LockRequest {
        let name = host.host().expect("the connection has a host");
        host.lock("deploy").dir(name, self.folder.display().to_string()).purpose("move the shop")
    }

    /// Replaces the holder in the lock file by another run.
    fn replace_holder(&self) {
        let holder = r#"{"by":{"user":"bob","machine":"ci"},"since":"2026-11-03T14:02:11Z","what":"x","token":"0"}"#;
        fs::write(self.folder.join("deploy.lock"), holder).expect("root can write the file");
    }

    fn file_exists(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }
}

#[tokio::test]
async fn a_second_run_fails_with_the_holder_and_acquires_the_lock_after_its_release() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let (one, other) = (fixture.client(), fixture.client());
    let (first, second) = (one.connect("host")?, other.connect("host")?);
    let lock = fixture.lock_request(&first).await?;
    let error = expect_error(fixture.lock_request(&second).await, ErrorKind::Task);
    let text = error.to_string();
    assert!(text.starts_with("host: locked by ") && text.ends_with("Z: move the shop"), "{text}");
    lock.release().await;
    assert_eq!(fs::read_to_string(fixture.folder.join("deploy.lock"))?, "");
    fixture.lock_request(&second).await?.release().await;
    one.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test]
async fn a_dropped_lock_is_released() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let (one, other) = (fixture.client(), fixture.client());
    drop(fixture.lock_request(&one.connect("host")?).await?);
    // `close` waits for the release.
    one.close().await;
    fixture.lock_request(&other.connect("host")?).await?.release().await;
    other.close().await;
    Ok(())
}

#[tokio::test]
async fn a_run_with_a_lost_lock_can_read_but_not_change_the_host() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let client = fixture.client();
    let host = client.connect("host")?.cd(fixture.folder.display().to_string());
    let lock = fixture.lock_request(&host).await?;
    host.run("touch before").await?;
    host.run("test -e before; exit 3").warn().await?;
    let atomic =
        lock.handle().atomic(host.host().expect("the connection has a host"), &ShellLine::raw("touch switched"))?;
    host.run(&atomic).await?;
    assert!(fixture.file_exists("before") && fixture.file_exists("switched"));

    fixture.replace_holder();
    let late = lock.handle().atomic(host.host().expect("the connection has a host"), &ShellLine::raw("touch late"))?;
    for error in [
        expect_error(host.run("touch late").await, ErrorKind::Channel),
        expect_error(host.run(&late).await, ErrorKind::Channel),
        expect_error(host.run("touch late; exit 0").warn().await, ErrorKind::Channel),
        expect_error(host.run("touch late").pty().await, ErrorKind::Channel),
        expect_error(client.connect("host")?.run("touch late && touch later").await, ErrorKind::Channel),
    ] {
        let text = error.to_string();
        assert!(text.contains("lost the lock `deploy`, and this run no longer changes the host"), "{text}");
    }
    let error = expect_error(host.put(b"x", "late").await, ErrorKind::Channel);
    assert!(error.block().to_string().contains("lost the lock `deploy`"), "{}", error.block());
    assert!(!fixture.file_exists("late"));
    assert_eq!(host.probe("ls before").line().await?, "before");
    drop(lock);
    host.run("touch after").await?;
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_fence_keeps_status_output_and_input_in_every_login_shell() -> Result {
    if !Capability::LoginShells.is_available() {
        return Ok(());
    }
    for shell in ["/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh", "/bin/csh"] {
        let fixture = LockFixture::start(Sshd::builder().login_shell(shell).start());
        let client = fixture.client();
        let host = client.connect("host")?;
        let lock = fixture.lock_request(&host).await?;
        let output = host.run("echo 'it is'; cat; exit 3").stdin("read\n").warn().hide(Hide::Both).await?;
        assert_eq!((output.status()?, &*output.stdout()?), (&ExitStatus::Code(3), "it is\nread\n"), "{shell}");
        let target = fixture.folder.join("put").display().to_string();
        host.put(b"content", target.as_str()).await?;
        assert_eq!(fs::read_to_string(&target)?, "content", "{shell}");
        fixture.replace_holder();
        expect_error(host.run("touch late; touch later").warn().await, ErrorKind::Channel);
        assert!(!fixture.file_exists("late") && !fixture.file_exists("later"), "{shell}");
        drop(lock);
        client.close().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_lock_freed_by_the_host_ends_the_commands_under_the_lock() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let client = fixture.client();
    let host = client.connect("host")?;
    let mut lock = fixture.lock_request(&host).await?;
    let file = fixture.folder.join("deploy.lock").display().to_string();
    // The shell that holds the lock has the lock file open.
    let kill = cmd!(
        "for fd in /proc/[0-9]*/fd/9; do [ \"$(readlink $fd)\" = {file} ] && p=${fd%/fd/9} && kill -KILL ${p#/proc/}; done; true"
    );
    connect(&fixture.sshd).run(kill).await?;
    let lost = expect_error(lock.during(host.run("sleep 600")).await, ErrorKind::Channel);
    assert!(lost.to_string().ends_with("the process of the lock has ended"), "{lost}");
    drop(lock);
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_command_timeout_does_not_end_a_lock() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let limit = Some(std::time::Duration::from_secs(1));
    let limited = settings(&ssh_config(&fixture.sshd, "")).command_timeout(limit);
    let client = Client::builder().settings(limited).build();
    let host = client.connect("host")?;
    let mut lock = fixture.lock_request(&host).await?;
    lock.during(host.run("sleep 2").timeout(secs(60))).await??;
    expect_error(host.run("sleep 60").await, ErrorKind::Timeout);
    lock.during(host.run("true")).await??;
    lock.release().await;
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn connection_settings_do_not_affect_the_lock_and_close_releases_the_lock() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let (one, other) = (fixture.client(), fixture.client());
    let host = one.connect("host")?.cd("/nonexistent").env("HOME", "/nonexistent").prefix("echo noise");
    let _lock = fixture.lock_request(&host).await?;
    // The lock is not dropped. The end of the run releases the lock.
    within_limit(one.close()).await;
    fixture.lock_request(&other.connect("host")?).await?.release().await;
    other.close().await;
    Ok(())
}

#[task(lock = "fabrs-test-of-loss")]
async fn long_task() -> Result {
    run("sleep 600").await?;
    Ok(())
}

#[tokio::test]
async fn a_task_ends_on_a_host_that_loses_its_lock() -> Result {
    let sshd = Sshd::start();
    let (seen, sink) = capture();
    let hosts = Inventory::default().with_hosts(parse_host_args(&["host"]).expect("the host name is valid"));
    let client = client_of(&sshd, "").inventory(hosts).sink(sink).build();
    let kill = async {
        while seen.of_kind("command_started").iter().all(|event| event["command"] != "sleep 600") {
            tokio::task::yield_now().await;
        }
        let holder = "for fd in /proc/[0-9]*/fd/9; do case $(readlink $fd) in */fabrs-test-of-loss.lock) p=${fd%/fd/9}; kill -KILL ${p#/proc/} ;; esac; done; true";
        connect(&sshd).run(holder).await
    };
    let (report, killed) = tokio::join!(execute(&client, [long_task::call()]), kill);
    killed?;
    assert_eq!(outcome_lines(&report.stages()[0].outcomes), ["host: lost"]);
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_manual_lock_stays_until_its_removal() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let client = fixture.client();
    let host = client.connect("host")?;
    fixture.lock_request(&host).lock_manually("the database moves").await.all_ok()?;
    let error = expect_error(fixture.lock_request(&host).wait(true).await, ErrorKind::Task);
    assert!(error.to_string().ends_with(": the database moves"), "{error}");
    expect_error(fixture.lock_request(&host).lock_manually("again").await.all_ok(), ErrorKind::Task);
    let unlocked = fixture.lock_request(&host).remove_manual_lock().await?;
    assert_eq!(unlocked[0].1.as_ref().map(|lock| lock.reason.as_str()), Some("the database moves"));
    assert_eq!(fixture.lock_request(&host).remove_manual_lock().await?[0].1, None);
    fixture.lock_request(&host).await?.release().await;
    client.close().await;
    Ok(())
}

#[task(lock = "fabrs-test-of-tasks")]
async fn locked_task() -> Result {
    // The inner task needs the same lock, already held by this run.
    inner_task::call().await?;
    let holder = probe("cat ~/.fabrs/locks/fabrs-test-of-tasks.lock").line().await?;
    ensure!(holder.contains(r#""what":"task locked-task""#), "the holder is {holder}");
    Ok(())
}

#[task(lock = "fabrs-test-of-tasks")]
async fn inner_task() -> Result {
    run("true").await?;
    Ok(())
}

#[tokio::test]
async fn a_task_with_a_lock_locks_its_hosts_and_releases_them() -> Result {
    let sshd = Sshd::start();
    let hosts = || Inventory::default().with_hosts(parse_host_args(&["host"]).expect("the host name is valid"));
    let client = client_of(&sshd, "").inventory(hosts()).build();
    assert_eq!(outcome_lines(&execute(&client, [locked_task::call()]).await.stages()[0].outcomes), ["host: ok"]);

    let other = client_of(&sshd, "").build();
    let lock = other.connect("host")?.lock("fabrs-test-of-tasks").purpose("a test").await?;
    let report = execute(&client, [locked_task::call()]).await;
    let outcomes = &report.stages()[0].outcomes;
    assert_eq!(outcome_lines(outcomes), ["host: failed"]);
    let error = outcomes.failed().next().and_then(|(_, outcome)| outcome.error()).expect("the task failed");
    assert!(error.to_string().ends_with(": a test"), "{error}");
    lock.release().await;
    assert!(execute(&client, [locked_task::call()]).await.is_ok());
    client.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test]
async fn a_waiting_run_acquires_a_freed_lock() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let (one, (seen, sink)) = (fixture.client(), capture());
    let waits = settings(&ssh_config(&fixture.sshd, "")).wait_for_locks(true);
    let other = Client::builder().settings(waits).sink(sink).build();
    let (first, second) = (one.connect("host")?, other.connect("host")?);
    let held = fixture.lock_request(&first).await?;
    let release = async {
        while event_texts(&seen, "message", "text").is_empty() {
            tokio::task::yield_now().await;
        }
        held.release().await;
    };
    let (lock, ()) = tokio::join!(fixture.lock_request(&second).into_future(), release);
    lock?.release().await;
    let printed = event_texts(&seen, "message", "text");
    assert!(printed[0].starts_with("waiting for the lock held by ") && printed.len() == 1, "{printed:?}");
    one.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test]
async fn a_dry_run_reports_a_lock_and_locks_nothing() -> Result {
    let fixture = LockFixture::start(Sshd::start());
    let (seen, sink) = capture();
    let dry = settings(&ssh_config(&fixture.sshd, "")).mode(Mode::DryRun);
    let client = Client::builder().settings(dry).sink(sink).build();
    let host = client.connect("host")?;
    let mut lock = fixture.lock_request(&host).await?;
    assert!(lock.is_planned());
    lock.during(host.run("touch x")).await??;
    lock.release().await;
    assert_eq!(event_texts(&seen, "planned", "operation"), ["lock `deploy` on host", "touch x"]);
    assert_eq!(fs::read_dir(&fixture.folder)?.count(), 0);
    client.close().await;
    Ok(())
}
