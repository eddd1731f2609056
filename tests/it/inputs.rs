//! The stdin of commands, and the handling of their output during the run.

use std::fs;
use std::pin::Pin;
use std::task::{Context, Poll};

use fabrs::prelude::*;
use fabrs::{Client, Connection, Responder, Signal};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::{LIMIT, block, capture, client_of, connect, refused, soon};

/// A reader that yields a few bytes and then fails.
struct Broken(bool);

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(Err(std::io::Error::other("the tape is torn")));
        }
        buffer.put_slice(b"half of it\n");
        Poll::Ready(Ok(()))
    }
}

/// Runs a check on a server and on this machine.
async fn everywhere(check: impl AsyncFn(&str, Connection) -> Result) -> Result {
    let sshd = Sshd::start();
    check("run", connect(&sshd)).await?;
    check("local", Client::builder().build().local()?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_a_reader_are_read_whole_and_end() -> Result {
    let file = tempfile::NamedTempFile::new()?;
    let content: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    fs::write(file.path(), &content)?;
    everywhere(async |place: &str, host: Connection| {
        let sum = host.run("sha256sum").stdin_file(file.path()).line().await?;
        let reader = host.run("sha256sum").stdin_reader(std::io::Cursor::new(content.clone())).line().await?;
        assert_eq!(sum, reader, "{place}");
        assert_eq!(host.run("wc -c").stdin_file(file.path()).line().await?.trim(), (3 << 20).to_string(), "{place}");
        // A command that does not read its stdin still ends.
        soon(host.run("true").stdin_file("/dev/zero")).await?;
        let secret = host.env("TOKEN", Secret::new("a secret")).run("printf %s \"$TOKEN\"; wc -c").hide(Hide::Both);
        assert_eq!(secret.stdin_file(file.path()).line().await?, format!("a secret{}", 3 << 20), "{place}");
        host.close().await;
        Ok(())
    })
    .await?;
    for account in [Account::SudoNopasswd, Account::Sudo] {
        let Some(lab) = crate::sudo::Lab::with_password(account) else { return Ok(()) };
        assert_eq!(lab.host().sudo("id -un; wc -c").stdin_file(file.path()).lines().await?, ["root", "3145728"]);
        lab.client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_pty_too_a_command_reads_what_it_was_given_and_its_end() -> Result {
    if !Capability::Terminal.is_available() {
        return Ok(());
    }
    everywhere(async |place: &str, host: Connection| {
        let quiet = "stty -echo; printf 'ready '; while read -r line; do echo \"got $line\"; done; tty >/dev/null && echo on one";
        let output = soon(host.run(quiet).pty().watch(Responder::new("ready ", "typed\n\u{4}"))).await?;
        assert_eq!(output.stdout()?.replace('\r', ""), "ready got typed\non one\n", "{place}");
        assert_eq!(soon(host.run("cat; echo over").pty()).await?.lines()?.last().map(String::as_str), Some("over"), "{place}");
        soon(host.run("cat").pty().stdin("no line end")).await?;
        let mark = marker();
        let sleeps = host.run(ShellLine::raw(format!("sleep {mark} & sleep {mark}"))).pty().timeout(secs(1));
        refused(soon(sleeps).await, ErrorKind::Timeout);
        let gone = move || wait_until("it was ended", LIMIT, || processes_matching(&mark).is_empty());
        tokio::task::spawn_blocking(gone).await?;
        assert_eq!(host.run("exit 7").pty().warn().await?.status()?.shell_code(), 7, "{place}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_that_breaks_off_is_never_taken_for_the_whole() -> Result {
    everywhere(async |place: &str, host: Connection| {
        let error = refused(soon(host.run("cat; echo took it").stdin_reader(Broken(false))).await, ErrorKind::Local);
        let shown = block(&error);
        assert!(shown.contains("the tape is torn") && !shown.contains("took it"), "{place}: {shown}");
        let error = refused(host.run("cat").stdin_file("/no/such/file").await, ErrorKind::Local);
        assert!(block(&error).contains("/no/such/file"), "{place}: {error:?}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_command_is_written_to_and_signalled() -> Result {
    everywhere(async |place: &str, host: Connection| {
        let mut child = host.run("while read -r line; do echo \"got $line\"; done; echo over").stdin_open().spawn()?;
        child.write("one\n").await?;
        child.write("two\n").await?;
        child.end_input();
        refused(child.write("three\n").await, ErrorKind::Usage);
        assert_eq!(child.wait().await?.lines()?, ["got one", "got two", "over"], "{place}");

        let mark = marker();
        let line = ShellLine::raw(format!("trap 'echo asked; exit 0' USR1; sleep {mark} & wait"));
        let child = host.run(line).warn().spawn()?;
        // The shell's command line contains the mark too, and before the sleep its trap may not be
        // set yet.
        let sleeps = move || processes_matching(&mark).iter().any(|process| process.cmdline.starts_with("sleep "));
        tokio::task::spawn_blocking(move || wait_until("it sleeps", LIMIT, sleeps)).await?;
        child.signal(Signal::new("USR1"))?;
        let output = soon(child).await?;
        // The whole process group receives the signal, as from a keyboard.
        assert!(output.stdout()?.contains("asked"), "{place}: {output:?}");
        let error = refused(host.run("cat").stdin_open().await, ErrorKind::Usage);
        assert!(block(&error).contains("`.spawn()?`"), "{place}: {error:?}");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_stderr_too_the_end_is_kept_and_all_of_it_where_that_was_asked_for() -> Result {
    everywhere(async |place: &str, host: Connection| {
        let line = "i=0; while [ $i -lt 9000 ]; do echo \"$i ................................................................................................................................................................................................................\"; i=$((i+1)); done >&2; printf '\\377' >&2";
        let bounded = host.run(line).hide(Hide::Both).await?;
        refused(bounded.stderr(), ErrorKind::Truncated);
        refused(bounded.stderr_bytes(), ErrorKind::Truncated);
        assert!(bounded.stderr_tail(2)?.starts_with("8999 "), "{place}");
        let all = host.run(line).hide(Hide::Both).capture_all().await?;
        assert_eq!(all.stderr()?.lines().count(), 9001, "{place}");
        assert_eq!(all.stderr_bytes()?.last(), Some(&0xff), "{place}: bytes that are no text are kept");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_output_is_whole_and_has_no_secret_in_it() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let file = sshd.scratch().join("log");
    let command = host.env("TOKEN", Secret::new("a secret")).run("echo out; echo \"$TOKEN\"; printf 'no end, a sec'");
    command.hide(Hide::Both).tee(&file).await?;
    assert_eq!(fs::read_to_string(&file)?, "out\n[redacted]\nno end, a sec");
    assert!(capture.of_kind("output_lines").is_empty(), "it is still hidden");
    host.run("echo anew").tee(&file).await?;
    assert_eq!(fs::read_to_string(&file)?, "anew\n");
    refused(host.run("true").tee("/no/such/folder/x").await, ErrorKind::Local);
    host.run("echo x; echo y").tee("/dev/full").await?;
    let warnings = capture.of_kind("warning");
    assert!(warnings.len() == 1 && warnings[0]["text"].to_string().contains("/dev/full"), "{warnings:?}");
    host.close().await;
    Ok(())
}

#[tokio::test]
async fn a_disowned_command_that_would_read_something_is_refused_and_not_silently_without_it() -> Result {
    let host = Client::builder().dial(fabrs::transport::Fake::new()).build().connect("web1")?;
    for command in [host.run("serve").stdin("x"), host.env("TOKEN", Secret::new("a secret")).run("serve")] {
        let error = refused(command.disown().await, ErrorKind::Usage);
        assert!(block(&error).contains("has no stdin"), "{}", block(&error));
    }
    let here = Client::builder().build().local()?;
    let error = refused(here.run("exit 3").disown().await?.status().map(drop), ErrorKind::Usage);
    assert!(block(&error).contains("was disowned"), "{}", block(&error));
    let error = refused(host.run("serve").disown().spawn().map(drop), ErrorKind::Usage);
    assert!(block(&error).contains("has no handle"), "{}", block(&error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disowned_command_survives_the_run_and_holds_up_nobody() -> Result {
    let Some(lab) = crate::sudo::Lab::with_password(Account::SudoPty) else { return Ok(()) };
    for (way, command) in [
        ("run", (|c, line| c.run(line)) as fn(&Connection, ShellLine) -> Command),
        ("sudo", |c, line| c.sudo(line)),
        ("local", |c, line| c.local(line)),
    ] {
        let mark = marker();
        let line = ShellLine::raw(format!("sleep {mark}; true"));
        soon(command(&lab.host(), line).disown()).await?;
        let theirs = mark.clone();
        let sleeps = move || processes_matching(&theirs).iter().any(|process| process.cmdline.starts_with("sleep"));
        tokio::task::spawn_blocking(move || wait_until("it sleeps", LIMIT, sleeps)).await?;
        lab.client.close().await;
        let left = processes_matching(&mark);
        assert!(left.iter().any(|process| process.cmdline.starts_with("sleep")), "{way}: {left:?}");
        left.iter().for_each(fabrs_testing::Process::kill);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_come_while_the_command_runs_and_its_failure_is_the_last_of_them() -> Result {
    use futures::StreamExt;

    everywhere(async |place: &str, host: Connection| {
        let child = host.run("while read -r line; do echo \"got $line\"; done; printf 'no end'; exit 3").stdin_open();
        let mut lines = child.stream_lines()?;
        for word in ["one", "two"] {
            lines.write(format!("{word}\n")).await?;
            assert_eq!(soon(lines.next()).await.expect("a line")?, format!("got {word}"), "{place}");
        }
        lines.end_input();
        assert_eq!(soon(lines.next()).await.expect("a line")?, "no end", "{place}");
        refused(soon(lines.next()).await.expect("its end"), ErrorKind::Exit);
        assert!(lines.next().await.is_none());

        let mark = marker();
        let mut unread = host.run(ShellLine::raw(format!("yes 'nobody reads this {mark}'"))).stream_lines()?;
        assert!(soon(unread.next()).await.expect("it has begun").is_ok(), "{place}");
        let gone = move || wait_until("it was ended", LIMIT, || processes_matching(&mark).is_empty());
        tokio::task::spawn_blocking(gone).await?;
        let mut count = 0;
        let last = loop {
            match unread.next().await.expect("its end is told") {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(last.kind(), ErrorKind::Truncated, "{place}");
        assert!(count > 1 << 18, "{place}: what had come is there");
        host.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn lines_of_a_command_that_never_begins_end_with_why() -> Result {
    use futures::StreamExt;

    let host = Client::builder().dial(fabrs::transport::Fake::new()).build().connect("web1")?;
    for command in [host.sudo("x; y"), host.run("x")] {
        let told = match command.stdin_file("/no/such/file").stream_lines() {
            Ok(mut lines) => soon(lines.next()).await.expect("its end").map(drop),
            Err(error) => Err(error),
        };
        refused(told, ErrorKind::Local);
    }
    refused(host.run("x").retry(1, secs(1)).stream_lines().map(drop), ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn a_plan_reads_nothing_and_takes_what_is_written_to_its_commands() -> Result {
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
    soon(client.close()).await;
    assert_eq!(crate::support::told(&capture, "planned", "operation"), ["psql", "psql"]);
    Ok(())
}

#[tokio::test]
async fn a_plan_leaves_the_file_of_a_copy_as_it_was() -> Result {
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let host = Client::builder().dial(fabrs::transport::Fake::new()).settings(dry).build().connect("web1")?;
    let log = tempfile::NamedTempFile::new()?;
    fs::write(log.path(), "of the last deploy")?;
    host.run("make").tee(log.path()).await?;
    assert_eq!(fs::read_to_string(log.path())?, "of the last deploy");
    Ok(())
}

#[tokio::test]
async fn a_probe_of_a_plan_leaves_the_file_of_a_copy_as_it_was() -> Result {
    let dry = fabrs::config::Settings::default().mode(fabrs::config::Mode::DryRun);
    let fake = fabrs::transport::Fake::new().on("uptime", fabrs::transport::FakeAnswer::stdout("up\n"));
    let host = Client::builder().dial(fake).settings(dry).build().connect("web1")?;
    let log = tempfile::NamedTempFile::new()?;
    fs::write(log.path(), "of the last deploy")?;
    assert_eq!(host.probe("uptime").tee(log.path()).line().await?, "up");
    assert_eq!(fs::read_to_string(log.path())?, "of the last deploy");
    Ok(())
}
