//! The stdin of commands, and the handling of their output during the run.

use std::fs;
use std::pin::Pin;
use std::task::{Context, Poll};

use fabrs::prelude::*;
use fabrs::{Client, Connection, Responder, Signal};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::{LIMIT, capture, client_of, connect, error_text, expect_error, within_limit};

/// A reader that yields a few bytes and then fails.
struct FailingReader(bool);

impl AsyncRead for FailingReader {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(Err(std::io::Error::other("the tape is torn")));
        }
        buffer.put_slice(b"half of it\n");
        Poll::Ready(Ok(()))
    }
}

/// Runs a check on a server and on this machine.
async fn on_server_and_this_machine(check: impl AsyncFn(&str, Connection) -> Result) -> Result {
    let sshd = Sshd::start();
    check("run", connect(&sshd)).await?;
    check("local", Client::builder().build().local()?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stdin_from_a_file_or_reader_arrives_complete() -> Result {
    let file = tempfile::NamedTempFile::new()?;
    let content: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    fs::write(file.path(), &content)?;
    on_server_and_this_machine(async |name: &str, host: Connection| {
        let sum = host.run("sha256sum").stdin_file(file.path()).line().await?;
        let reader = host.run("sha256sum").stdin_reader(std::io::Cursor::new(content.clone())).line().await?;
        assert_eq!(sum, reader, "{name}");
        assert_eq!(host.run("wc -c").stdin_file(file.path()).line().await?.trim(), (3 << 20).to_string(), "{name}");
        // A command with an unread stdin still ends.
        within_limit(host.run("true").stdin_file("/dev/zero")).await?;
        let secret = host.env("TOKEN", Secret::new("a secret")).run("printf %s \"$TOKEN\"; wc -c").hide(Hide::Both);
        assert_eq!(secret.stdin_file(file.path()).line().await?, format!("a secret{}", 3 << 20), "{name}");
        host.close().await;
        Ok(())
    })
    .await?;
    for account in [Account::SudoNopasswd, Account::Sudo] {
        let Some(fixture) = crate::sudo::SudoFixture::with_password(account) else { return Ok(()) };
        assert_eq!(fixture.host().sudo("id -un; wc -c").stdin_file(file.path()).lines().await?, ["root", "3145728"]);
        fixture.client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_a_pty_reads_its_input_and_end_of_file() -> Result {
    if !Capability::Terminal.is_available() {
        return Ok(());
    }
    on_server_and_this_machine(async |name: &str, host: Connection| {
        let quiet = "stty -echo; printf 'ready '; while read -r line; do echo \"got $line\"; done; tty >/dev/null && echo on one";
        let output = within_limit(host.run(quiet).pty().watch(Responder::new("ready ", "typed\n\u{4}"))).await?;
        assert_eq!(output.stdout()?.replace('\r', ""), "ready got typed\non one\n", "{name}");
        assert_eq!(within_limit(host.run("cat; echo over").pty()).await?.lines()?.last().map(String::as_str), Some("over"), "{name}");
        within_limit(host.run("cat").pty().stdin("no line end")).await?;
        let mark = marker();
        let sleeps = host.run(ShellLine::raw(format!("sleep {mark} & sleep {mark}"))).pty().timeout(secs(1));
        expect_error(within_limit(sleeps).await, ErrorKind::Timeout);
        let gone = move || wait_until("the command was stopped", LIMIT, || processes_matching(&mark).is_empty());
        tokio::task::spawn_blocking(gone).await?;
        assert_eq!(host.run("exit 7").pty().warn().await?.status()?.shell_code(), 7, "{name}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_input_is_an_error() -> Result {
    on_server_and_this_machine(async |name: &str, host: Connection| {
        let error = expect_error(
            within_limit(host.run("cat; echo took it").stdin_reader(FailingReader(false))).await,
            ErrorKind::Local,
        );
        let shown = error_text(&error);
        assert!(shown.contains("the tape is torn") && !shown.contains("took it"), "{name}: {shown}");
        let error = expect_error(host.run("cat").stdin_file("/no/such/file").await, ErrorKind::Local);
        assert!(error_text(&error).contains("/no/such/file"), "{name}: {error:?}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_command_accepts_input_and_signals() -> Result {
    on_server_and_this_machine(async |name: &str, host: Connection| {
        let mut child = host.run("while read -r line; do echo \"got $line\"; done; echo over").stdin_open().spawn()?;
        child.write("one\n").await?;
        child.write("two\n").await?;
        child.end_input();
        expect_error(child.write("three\n").await, ErrorKind::Usage);
        assert_eq!(child.wait().await?.lines()?, ["got one", "got two", "over"], "{name}");

        let mark = marker();
        let line = ShellLine::raw(format!("trap 'echo asked; exit 0' USR1; sleep {mark} & wait"));
        let child = host.run(line).warn().spawn()?;
        // The shell's command line contains the mark too, and before the sleep the trap may not be
        // set yet.
        let sleeps = move || processes_matching(&mark).iter().any(|process| process.cmdline.starts_with("sleep "));
        tokio::task::spawn_blocking(move || wait_until("the command sleeps", LIMIT, sleeps)).await?;
        child.signal(Signal::new("USR1"))?;
        let output = within_limit(child).await?;
        // The whole process group receives the signal, as from a keyboard.
        assert!(output.stdout()?.contains("asked"), "{name}: {output:?}");
        let error = expect_error(host.run("cat").stdin_open().await, ErrorKind::Usage);
        assert!(error_text(&error).contains("`.spawn()?`"), "{name}: {error:?}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_stderr_keeps_its_tail_and_capture_all_keeps_the_whole() -> Result {
    on_server_and_this_machine(async |name: &str, host: Connection| {
        let line = "i=0; while [ $i -lt 9000 ]; do echo \"$i ................................................................................................................................................................................................................\"; i=$((i+1)); done >&2; printf '\\377' >&2";
        let bounded = host.run(line).hide(Hide::Both).await?;
        expect_error(bounded.stderr(), ErrorKind::Truncated);
        expect_error(bounded.stderr_bytes(), ErrorKind::Truncated);
        assert!(bounded.stderr_tail(2)?.starts_with("8999 "), "{name}");
        let all = host.run(line).hide(Hide::Both).capture_all().await?;
        assert_eq!(all.stderr()?.lines().count(), 9001, "{name}");
        assert_eq!(all.stderr_bytes()?.last(), Some(&0xff), "{name}: bytes that are no text are kept");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tee_writes_the_whole_output_without_secrets() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let file = sshd.scratch().join("log");
    let command = host.env("TOKEN", Secret::new("a secret")).run("echo out; echo \"$TOKEN\"; printf 'no end, a sec'");
    command.hide(Hide::Both).tee(&file).await?;
    assert_eq!(fs::read_to_string(&file)?, "out\n[redacted]\nno end, a sec");
    assert!(capture.of_kind("output_lines").is_empty(), "the output is hidden");
    host.run("echo anew").tee(&file).await?;
    assert_eq!(fs::read_to_string(&file)?, "anew\n");
    expect_error(host.run("true").tee("/no/such/folder/x").await, ErrorKind::Local);
    host.run("echo x; echo y").tee("/dev/full").await?;
    let warnings = capture.of_kind("warning");
    assert!(warnings.len() == 1 && warnings[0]["text"].to_string().contains("/dev/full"), "{warnings:?}");
    host.close().await;
    Ok(())
}

#[tokio::test]
async fn a_disowned_command_with_an_input_is_refused() -> Result {
    let host = Client::builder().dial(fabrs::transport::Fake::new()).build().connect("web1")?;
    for command in [host.run("serve").stdin("x"), host.env("TOKEN", Secret::new("a secret")).run("serve")] {
        let error = expect_error(command.disown().await, ErrorKind::Usage);
        assert!(error_text(&error).contains("has no stdin"), "{}", error_text(&error));
    }
    let here = Client::builder().build().local()?;
    let error = expect_error(here.run("exit 3").disown().await?.status().map(drop), ErrorKind::Usage);
    assert!(error_text(&error).contains("was disowned"), "{}", error_text(&error));
    let error = expect_error(host.run("serve").disown().spawn().map(drop), ErrorKind::Usage);
    assert!(error_text(&error).contains("has no handle"), "{}", error_text(&error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disowned_command_outlives_the_run_without_blocking() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::SudoPty) else { return Ok(()) };
    for (method, command) in [
        ("run", (|c, line| c.run(line)) as fn(&Connection, ShellLine) -> Command),
        ("sudo", |c, line| c.sudo(line)),
        ("local", |c, line| c.local(line)),
    ] {
        let mark = marker();
        let line = ShellLine::raw(format!("sleep {mark}; true"));
        within_limit(command(&fixture.host(), line).disown()).await?;
        let theirs = mark.clone();
        let sleeps = move || processes_matching(&theirs).iter().any(|process| process.cmdline.starts_with("sleep"));
        tokio::task::spawn_blocking(move || wait_until("the command sleeps", LIMIT, sleeps)).await?;
        fixture.client.close().await;
        let left = processes_matching(&mark);
        assert!(left.iter().any(|process| process.cmdline.starts_with("sleep")), "{method}: {left:?}");
        left.iter().for_each(fabrs_testing::Process::kill);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamed_lines_arrive_early_and_end_with_the_failure() -> Result {
    use futures::StreamExt;

    on_server_and_this_machine(async |name: &str, host: Connection| {
        let child = host.run("while read -r line; do echo \"got $line\"; done; printf 'no end'; exit 3").stdin_open();
        let mut lines = child.stream_lines()?;
        for word in ["one", "two"] {
            lines.write(format!("{word}\n")).await?;
            assert_eq!(within_limit(lines.next()).await.expect("a line")?, format!("got {word}"), "{name}");
        }
        lines.end_input();
        assert_eq!(within_limit(lines.next()).await.expect("a line")?, "no end", "{name}");
        expect_error(within_limit(lines.next()).await.expect("the stream has an end"), ErrorKind::Exit);
        assert!(lines.next().await.is_none());

        let mark = marker();
        let mut unread = host.run(ShellLine::raw(format!("yes 'nobody reads this {mark}'"))).stream_lines()?;
        assert!(within_limit(unread.next()).await.expect("the command has started").is_ok(), "{name}");
        let gone = move || wait_until("the command was stopped", LIMIT, || processes_matching(&mark).is_empty());
        tokio::task::spawn_blocking(gone).await?;
        let mut count = 0;
        let last = loop {
            match unread.next().await.expect("the stream has an end") {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(last.kind(), ErrorKind::Truncated, "{name}");
        assert!(count > 1 << 18, "{name}: what had come is there");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn streamed_lines_of_a_failed_start_end_with_the_error() -> Result {
    use futures::StreamExt;

    let host = Client::builder().dial(fabrs::transport::Fake::new()).build().connect("web1")?;
    for command in [host.sudo("x; y"), host.run("x")] {
        let result = match command.stdin_file("/no/such/file").stream_lines() {
            Ok(mut lines) => within_limit(lines.next()).await.expect("the stream has an end").map(drop),
            Err(error) => Err(error),
        };
        expect_error(result, ErrorKind::Local);
    }
    expect_error(host.run("x").retry(1, secs(1)).stream_lines().map(drop), ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_reads_no_input_and_accepts_writes() -> Result {
    let (capture, sink) = capture();
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let client = Client::builder().dial(fabrs::transport::Fake::new()).settings(dry).sink(sink).build();
    let host = client.connect("web1")?;
    host.run("psql").stdin_file("/made/by/a/step/before").await?;
    let child = host.run("psql").stdin_open().spawn()?;
    for _ in 0..100 {
        child.write("select 1;\n").await?;
    }
    child.wait().await?;
    within_limit(client.close()).await;
    assert_eq!(crate::support::event_texts(&capture, "planned", "operation"), ["psql", "psql"]);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_keeps_the_tee_file() -> Result {
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let host = Client::builder().dial(fabrs::transport::Fake::new()).settings(dry).build().connect("web1")?;
    let log = tempfile::NamedTempFile::new()?;
    fs::write(log.path(), "of the last deploy")?;
    host.run("make").tee(log.path()).await?;
    assert_eq!(fs::read_to_string(log.path())?, "of the last deploy");
    Ok(())
}

#[tokio::test]
async fn a_probe_in_a_dry_run_keeps_the_tee_file() -> Result {
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let fake = fabrs::transport::Fake::new().on("uptime", fabrs::transport::FakeAnswer::stdout("up\n"));
    let host = Client::builder().dial(fake).settings(dry).build().connect("web1")?;
    let log = tempfile::NamedTempFile::new()?;
    fs::write(log.path(), "of the last deploy")?;
    assert_eq!(host.probe("uptime").tee(log.path()).line().await?, "up");
    assert_eq!(fs::read_to_string(log.path())?, "of the last deploy");
    Ok(())
}
