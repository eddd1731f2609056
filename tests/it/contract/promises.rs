//! The promises of a command, on every transport.

use std::collections::HashSet;
use std::fs;

use fabrs::prelude::*;
use fabrs::{Result, Signal};
use fabrs_testing::probe;
use serde_json::{Value, json};

use super::transports::TransportFixture;
use crate::support::expect_error;

/// A number of lines beyond the limit of the capture.
pub(super) const LINES: usize = 150_000;
/// A character of three bytes in UTF-8.
pub(super) const EURO: &str = "€";
/// The number of such characters, sent in pieces.
pub(super) const EUROS: usize = 3_000;

pub(super) async fn stdout_and_stderr_stay_separate(fixture: &TransportFixture) -> Result<()> {
    let output = fixture.host.run("printf out; printf err >&2").await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out", "err"));
    assert_eq!(output.status()?, &ExitStatus::Code(0));
    assert!(output.ok()?);
    Ok(())
}

pub(super) async fn a_nonzero_status_is_an_error_with_the_output(fixture: &TransportFixture) -> Result<()> {
    let line = "echo before; echo why >&2; exit 17";
    let error = expect_error(fixture.host.run(line).await, ErrorKind::Exit);
    assert!(error.to_string().ends_with("`echo before; echo why >&2; exit 17` ended with exit status 17"), "{error}");
    let output = error.output().expect("the command ran");
    assert_eq!((output.command(), output.host()), (line, fixture.host.host().expect("the connection has a host")));
    assert_eq!(output.status()?.shell_code(), 17);
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("before\n", "why\n"));
    Ok(())
}

pub(super) async fn warn_accepts_any_status(fixture: &TransportFixture) -> Result<()> {
    let output = fixture.host.run("exit 17").warn().await?;
    assert_eq!(output.status()?, &ExitStatus::Code(17));
    assert!(!output.ok()?);
    assert!(!fixture.host.run("exit 17").ok().await?);
    Ok(())
}

pub(super) async fn statuses_127_and_255_are_exit_statuses(fixture: &TransportFixture) -> Result<()> {
    for (line, code) in [("exit 127", 127), ("exit 255", 255)] {
        let error = expect_error(fixture.host.run(line).await, ErrorKind::Exit);
        assert_eq!(error.output().expect("the command ran").status()?, &ExitStatus::Code(code));
    }
    Ok(())
}

pub(super) async fn a_killing_signal_is_the_exit_status(fixture: &TransportFixture) -> Result<()> {
    let error = expect_error(fixture.host.run("kill -KILL $$").await, ErrorKind::Exit);
    let output = error.output().expect("the command ran");
    assert_eq!(output.status()?, &ExitStatus::Signal(Signal::new("KILL")));
    assert_eq!(output.status()?.shell_code(), 137);
    Ok(())
}

pub(super) async fn a_timeout_ends_the_command_and_keeps_its_output(fixture: &TransportFixture) -> Result<()> {
    let result = fixture.host.run("echo before; sleep 60").warn().timeout(secs(1)).await;
    let error = expect_error(result, ErrorKind::Timeout);
    assert!(error.to_string().contains("ran longer than 1 second and was ended"), "{error}");
    assert_eq!(error.output().expect("the command printed output").stdout()?, "before\n");
    Ok(())
}

pub(super) async fn a_truncated_capture_keeps_the_tail(fixture: &TransportFixture) -> Result<()> {
    let line = ShellLine::raw(format!("{} lines {LINES}", fixture.probe));
    let output = fixture.host.run(&line).hide(Hide::Both).await?;
    let error = expect_error(output.stdout(), ErrorKind::Truncated);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("capture_all")), "{error:?}");
    assert_eq!(output.tail(1)?, format!("line {LINES}"));
    assert_eq!(output.tail(3)?.lines().next(), Some(format!("line {}", LINES - 2).as_str()));
    Ok(())
}

pub(super) async fn capture_all_keeps_the_whole_output(fixture: &TransportFixture) -> Result<()> {
    let line = ShellLine::raw(format!("{} lines {LINES}", fixture.probe));
    let lines = fixture.host.run(&line).hide(Hide::Both).capture_all().lines().await?;
    assert_eq!(lines.len(), LINES);
    assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("line {}", n + 1)));
    Ok(())
}

pub(super) async fn lines_are_read_from_stdout(fixture: &TransportFixture) -> Result<()> {
    let three = "printf 'one\\ntwo\\nthree'";
    assert_eq!(fixture.host.probe(three).line().await?, "one");
    let output = fixture.host.probe(three).await?;
    assert_eq!(output.lines()?, ["one", "two", "three"]);
    assert_eq!(output.tail(2)?, "two\nthree");
    assert_eq!(output.tail(10)?, "one\ntwo\nthree");
    expect_error(fixture.host.probe("true").line().await, ErrorKind::Empty);
    Ok(())
}

pub(super) async fn json_is_read_from_stdout(fixture: &TransportFixture) -> Result<()> {
    let line = "echo '{\"up\": [1, 2]}'";
    assert_eq!(fixture.host.probe(line).json::<Value>().await?, json!({ "up": [1, 2] }));
    expect_error(fixture.host.probe(line).json::<Vec<String>>().await, ErrorKind::Format);
    Ok(())
}

pub(super) async fn characters_split_between_chunks_stay_intact(fixture: &TransportFixture) -> Result<()> {
    let euros = EURO.repeat(EUROS);
    let line = ShellLine::raw(format!("{} chunks {euros}", fixture.probe));
    assert!(fixture.host.run(&line).await?.stdout()? == euros);
    let shown: String =
        fixture.events.of_kind("output_lines").iter().filter_map(|event| event["text"].as_str()).collect();
    assert!(shown == euros, "{} of {EUROS} were replaced", shown.matches('\u{fffd}').count());
    Ok(())
}

pub(super) async fn hidden_streams_are_captured_and_not_shown(fixture: &TransportFixture) -> Result<()> {
    let shown = |fixture: &TransportFixture| {
        let lines = fixture.events.of_kind("output_lines");
        lines.iter().map(|event| event["stream"].as_str().unwrap_or_default().to_owned()).collect::<HashSet<_>>()
    };
    let line = "echo out; echo err >&2";
    let output = fixture.host.run(line).hide(Hide::Both).await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out\n", "err\n"));
    assert_eq!(shown(fixture), HashSet::new());
    assert_eq!(fixture.host.run(line).hide(Hide::Stdout).await?.stdout()?, "out\n");
    assert_eq!(shown(fixture), HashSet::from(["stderr".to_owned()]));
    assert_eq!(fixture.host.run(line).hide(Hide::Stderr).await?.stderr()?, "err\n");
    assert_eq!(shown(fixture), HashSet::from(["stderr".to_owned(), "stdout".to_owned()]));
    Ok(())
}

pub(super) async fn connections_to_one_host_have_equal_hosts(fixture: &TransportFixture) -> Result<()> {
    let (client, host) = (
        fixture.host.client().expect("the connection has a client"),
        fixture.host.host().expect("the connection has a host"),
    );
    let again = client.connect(host)?;
    assert_eq!(fixture.host.host(), again.host());
    assert_eq!(fixture.host.host(), again.cd("/tmp").host());
    assert_ne!(fixture.host.host(), client.connect("somewhere-else")?.host());
    Ok(())
}

pub(super) async fn stdin_arrives_complete_and_ends(fixture: &TransportFixture) -> Result<()> {
    // More than a channel window, and not text: every byte must arrive in order.
    let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let output = fixture.host.run("cat").stdin(bytes.clone()).hide(Hide::Both).capture_all().await?;
    assert!(output.stdout_bytes()? == bytes);
    Ok(())
}

pub(super) async fn a_command_without_stdin_reads_end_of_file(fixture: &TransportFixture) -> Result<()> {
    assert_eq!(fixture.host.run("cat; echo done").line().await?, "done");
    Ok(())
}

pub(super) async fn a_spawned_command_runs_concurrently(fixture: &TransportFixture) -> Result<()> {
    let file = fixture.scratch.join("go");
    let line = cmd!("while ! test -e {file}; do sleep 0.01; done; echo went");
    let spawned = fixture.host.run(&line).spawn()?;
    assert_eq!(fixture.host.run("echo meanwhile").line().await?, "meanwhile");
    fs::write(&file, "").expect("the directory is ours");
    assert_eq!(spawned.await?.stdout()?, "went\n");
    let shown: Vec<Value> = fixture.events.of_kind("output_lines").iter().map(|event| event["text"].clone()).collect();
    assert_eq!(shown, ["meanwhile\n"], "a spawned command shows nothing");
    Ok(())
}

pub(super) async fn a_spawned_command_fails_like_an_awaited_command(fixture: &TransportFixture) -> Result<()> {
    let spawned = fixture.host.run("echo x; exit 3").spawn()?;
    let error = expect_error(spawned.await, ErrorKind::Exit);
    assert_eq!(error.output().expect("the command ran").stdout()?, "x\n");
    Ok(())
}

pub(super) async fn a_relative_directory_extends_and_an_absolute_directory_replaces(
    fixture: &TransportFixture,
) -> Result<()> {
    for inner in ["a/b", "with space"] {
        fs::create_dir_all(fixture.scratch.join(inner)).expect("the directory is ours");
    }
    let scratch = fixture.scratch.canonicalize().expect("the file exists");
    let here = fixture.host.cd(scratch.display().to_string());
    let pwd = async |host: &Connection| host.run("pwd -P").line().await;
    assert_eq!(pwd(&here.cd("a").cd("b")).await?, scratch.join("a/b").display().to_string());
    assert_eq!(pwd(&here.cd("with space")).await?, scratch.join("with space").display().to_string());
    assert_eq!(pwd(&here.cd("a").cd("/")).await?, "/");
    let home = fixture.host.run("cd && pwd -P").line().await?;
    assert_eq!(pwd(&here.cd("~")).await?, home);
    assert_eq!(pwd(&here).await?, scratch.display().to_string(), "the connection is unchanged");
    Ok(())
}

pub(super) async fn prefixes_run_in_order_after_the_directory_change(fixture: &TransportFixture) -> Result<()> {
    let host = fixture.host.cd("/").prefix("printf 'outer %s ' \"$PWD\"").prefix("printf 'inner '");
    assert_eq!(host.run("echo command").line().await?, "outer / inner command");
    Ok(())
}

pub(super) async fn a_line_in_a_missing_directory_does_not_run(fixture: &TransportFixture) -> Result<()> {
    let nowhere = fixture.host.cd(fixture.scratch.join("missing").display().to_string());
    let error = expect_error(nowhere.run("echo one; echo two").await, ErrorKind::Exit);
    assert_eq!(error.output().expect("the shell ran").stdout()?, "");
    Ok(())
}

pub(super) async fn a_variable_arrives_byte_for_byte(fixture: &TransportFixture) -> Result<()> {
    let file = fixture.scratch.join("executed");
    let value = format!("a$b \"c\" 'd' `touch {0}` $(touch {0}) ; \\ \n!*~ f", file.display());
    let host = fixture.host.env("X", &value);
    assert_eq!(host.run("printf %s \"$X\"").await?.stdout()?, value);
    assert_eq!(host.run("printf %s \"$X\"").spawn()?.await?.stdout()?, value);
    assert_eq!(fixture.host.local("printf %s \"$X\"").env("X", &value).await?.stdout()?, value);
    let report = ShellLine::raw(format!("{} report", fixture.probe));
    let report = probe::parse(host.run(&report).await?.stdout_bytes()?);
    assert_eq!(report["env"]["X"], value);
    assert!(!file.exists(), "a part of the value was executed");
    Ok(())
}

pub(super) async fn a_secret_variable_arrives_byte_for_byte_and_is_absent_from_the_command_line(
    fixture: &TransportFixture,
) -> Result<()> {
    for value in ["it's $a \"b\" `c` \\ é", "  blanks  ", "-n", "", "several\n lines\n\n and their ends\n"] {
        let host =
            fixture.host.env("BEFORE", "x").env("TOKEN", Secret::new(value)).env("OTHER", Secret::new("another one"));
        let command =
            host.run("printf '%s|' \"$TOKEN\" \"$OTHER\" \"${fabrs_line-}\"; tr '\\0' ' ' < /proc/$PPID/cmdline; cat");
        let output = command.stdin("and the rest").hide(Hide::Both).await?;
        let printed = output.stdout()?;
        let line =
            printed.strip_prefix(&format!("{value}|another one||")).unwrap_or_else(|| panic!("{value:?}: {printed}"));
        assert!(line.ends_with("and the rest") && !line.contains("another one"), "{line}");
        assert!(output.command().contains("export TOKEN='[redacted]' && "), "{}", output.command());
        assert_eq!(host.run("cat").hide(Hide::Both).await?.stdout()?, "", "the stdin is empty");
    }
    Ok(())
}

pub(super) async fn output_larger_than_a_window_arrives_complete(fixture: &TransportFixture) -> Result<()> {
    let line = ShellLine::raw(format!("{} bytes {}", fixture.probe, 5 << 20));
    let output = fixture.host.run(&line).hide(Hide::Both).capture_all().await?;
    assert_eq!(output.stdout_bytes()?.len(), 5 << 20);
    assert!(output.stdout_bytes()?.iter().zip((0..=250).cycle()).all(|(found, expected)| *found == expected));
    Ok(())
}

pub(super) async fn a_closed_connection_reopens_on_use(fixture: &TransportFixture) -> Result<()> {
    fixture.host.close().await;
    fixture.host.run("true").await?;
    fixture.host.close().await;
    fixture.host.close().await;
    fixture.host.run("true").await?;
    Ok(())
}
