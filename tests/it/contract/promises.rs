//! The promises of a command, on every transport.

use std::collections::HashSet;
use std::fs;

use fabrs::prelude::*;
use fabrs::{Result, Signal};
use fabrs_testing::probe;
use serde_json::{Value, json};

use super::places::Place;
use crate::support::refused;

/// A number of lines that exceeds the limit of the capture.
pub(super) const LINES: usize = 150_000;
/// A character of three bytes in UTF-8.
pub(super) const EURO: &str = "€";
/// The number of such characters, sent in pieces.
pub(super) const EUROS: usize = 3_000;

pub(super) async fn stdout_and_stderr_stay_separate(at: &Place) -> Result<()> {
    let output = at.host.run("printf out; printf err >&2").await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out", "err"));
    assert_eq!(output.status()?, &ExitStatus::Code(0));
    assert!(output.ok()?);
    Ok(())
}

pub(super) async fn a_status_is_an_error_that_carries_the_output(at: &Place) -> Result<()> {
    let line = "echo before; echo why >&2; exit 17";
    let error = refused(at.host.run(line).await, ErrorKind::Exit);
    assert!(error.to_string().ends_with("`echo before; echo why >&2; exit 17` ended with exit status 17"), "{error}");
    let output = error.output().expect("the command ran");
    assert_eq!((output.command(), output.host()), (line, at.host.host().expect("it has a host")));
    assert_eq!(output.status()?.shell_code(), 17);
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("before\n", "why\n"));
    Ok(())
}

pub(super) async fn warn_takes_any_status(at: &Place) -> Result<()> {
    let output = at.host.run("exit 17").warn().await?;
    assert_eq!(output.status()?, &ExitStatus::Code(17));
    assert!(!output.ok()?);
    assert!(!at.host.run("exit 17").ok().await?);
    Ok(())
}

pub(super) async fn statuses_127_and_255_are_statuses(at: &Place) -> Result<()> {
    for (line, code) in [("exit 127", 127), ("exit 255", 255)] {
        let error = refused(at.host.run(line).await, ErrorKind::Exit);
        assert_eq!(error.output().expect("the command ran").status()?, &ExitStatus::Code(code));
    }
    Ok(())
}

pub(super) async fn a_signal_is_how_a_command_ended(at: &Place) -> Result<()> {
    let error = refused(at.host.run("kill -KILL $$").await, ErrorKind::Exit);
    let output = error.output().expect("the command ran");
    assert_eq!(output.status()?, &ExitStatus::Signal(Signal::new("KILL")));
    assert_eq!(output.status()?.shell_code(), 137);
    Ok(())
}

pub(super) async fn a_timeout_ends_it_and_keeps_what_it_printed(at: &Place) -> Result<()> {
    let result = at.host.run("echo before; sleep 60").warn().timeout(secs(1)).await;
    let error = refused(result, ErrorKind::Timeout);
    assert!(error.to_string().contains("ran longer than 1 second and was ended"), "{error}");
    assert_eq!(error.output().expect("it printed something").stdout()?, "before\n");
    Ok(())
}

pub(super) async fn a_bounded_capture_still_has_the_tail(at: &Place) -> Result<()> {
    let line = ShellLine::raw(format!("{} lines {LINES}", at.probe));
    let output = at.host.run(&line).hide(Hide::Both).await?;
    let error = refused(output.stdout(), ErrorKind::Truncated);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("capture_all")), "{error:?}");
    assert_eq!(output.tail(1)?, format!("line {LINES}"));
    assert_eq!(output.tail(3)?.lines().next(), Some(format!("line {}", LINES - 2).as_str()));
    Ok(())
}

pub(super) async fn everything_is_kept_where_all_was_asked_for(at: &Place) -> Result<()> {
    let line = ShellLine::raw(format!("{} lines {LINES}", at.probe));
    let lines = at.host.run(&line).hide(Hide::Both).capture_all().lines().await?;
    assert_eq!(lines.len(), LINES);
    assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("line {}", n + 1)));
    Ok(())
}

pub(super) async fn lines_are_read_from_stdout(at: &Place) -> Result<()> {
    let three = "printf 'one\\ntwo\\nthree'";
    assert_eq!(at.host.probe(three).line().await?, "one");
    let output = at.host.probe(three).await?;
    assert_eq!(output.lines()?, ["one", "two", "three"]);
    assert_eq!(output.tail(2)?, "two\nthree");
    assert_eq!(output.tail(10)?, "one\ntwo\nthree");
    refused(at.host.probe("true").line().await, ErrorKind::Empty);
    Ok(())
}

pub(super) async fn json_is_read_from_stdout(at: &Place) -> Result<()> {
    let line = "echo '{\"up\": [1, 2]}'";
    assert_eq!(at.host.probe(line).json::<Value>().await?, json!({ "up": [1, 2] }));
    refused(at.host.probe(line).json::<Vec<String>>().await, ErrorKind::Format);
    Ok(())
}

pub(super) async fn no_character_is_torn_between_chunks(at: &Place) -> Result<()> {
    let euros = EURO.repeat(EUROS);
    let line = ShellLine::raw(format!("{} chunks {euros}", at.probe));
    assert!(at.host.run(&line).await?.stdout()? == euros);
    let shown: String = at.told.of_kind("output_lines").iter().filter_map(|event| event["text"].as_str()).collect();
    assert!(shown == euros, "{} of {EUROS} were replaced", shown.matches('\u{fffd}').count());
    Ok(())
}

pub(super) async fn hidden_streams_are_captured_and_not_shown(at: &Place) -> Result<()> {
    let shown = |at: &Place| {
        let lines = at.told.of_kind("output_lines");
        lines.iter().map(|event| event["stream"].as_str().unwrap_or_default().to_owned()).collect::<HashSet<_>>()
    };
    let line = "echo out; echo err >&2";
    let output = at.host.run(line).hide(Hide::Both).await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out\n", "err\n"));
    assert_eq!(shown(at), HashSet::new());
    assert_eq!(at.host.run(line).hide(Hide::Stdout).await?.stdout()?, "out\n");
    assert_eq!(shown(at), HashSet::from(["stderr".to_owned()]));
    assert_eq!(at.host.run(line).hide(Hide::Stderr).await?.stderr()?, "err\n");
    assert_eq!(shown(at), HashSet::from(["stderr".to_owned(), "stdout".to_owned()]));
    Ok(())
}

pub(super) async fn connections_to_one_host_have_equal_hosts(at: &Place) -> Result<()> {
    let (client, host) = (at.host.client().expect("it has a client"), at.host.host().expect("it has a host"));
    let again = client.connect(host)?;
    assert_eq!(at.host.host(), again.host());
    assert_eq!(at.host.host(), again.cd("/tmp").host());
    assert_ne!(at.host.host(), client.connect("somewhere-else")?.host());
    Ok(())
}

pub(super) async fn stdin_arrives_whole_and_ends(at: &Place) -> Result<()> {
    // More than a channel window, and not text: every byte must arrive in order.
    let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let output = at.host.run("cat").stdin(bytes.clone()).hide(Hide::Both).capture_all().await?;
    assert!(output.stdout_bytes()? == bytes);
    Ok(())
}

pub(super) async fn without_stdin_the_end_is_read_at_once(at: &Place) -> Result<()> {
    assert_eq!(at.host.run("cat; echo done").line().await?, "done");
    Ok(())
}

pub(super) async fn a_spawned_command_runs_while_something_else_is_done(at: &Place) -> Result<()> {
    let file = at.scratch.join("go");
    let line = cmd!("while ! test -e {file}; do sleep 0.01; done; echo went");
    let spawned = at.host.run(&line).spawn()?;
    assert_eq!(at.host.run("echo meanwhile").line().await?, "meanwhile");
    fs::write(&file, "").expect("the directory is ours");
    assert_eq!(spawned.await?.stdout()?, "went\n");
    let shown: Vec<Value> = at.told.of_kind("output_lines").iter().map(|event| event["text"].clone()).collect();
    assert_eq!(shown, ["meanwhile\n"], "a spawned command shows nothing");
    Ok(())
}

pub(super) async fn a_spawned_command_fails_as_an_awaited_one(at: &Place) -> Result<()> {
    let spawned = at.host.run("echo x; exit 3").spawn()?;
    let error = refused(spawned.await, ErrorKind::Exit);
    assert_eq!(error.output().expect("the command ran").stdout()?, "x\n");
    Ok(())
}

pub(super) async fn a_relative_directory_continues_and_an_absolute_one_replaces(at: &Place) -> Result<()> {
    for inner in ["a/b", "with space"] {
        fs::create_dir_all(at.scratch.join(inner)).expect("the directory is ours");
    }
    let scratch = at.scratch.canonicalize().expect("it is there");
    let here = at.host.cd(scratch.display().to_string());
    let pwd = async |host: &Connection| host.run("pwd -P").line().await;
    assert_eq!(pwd(&here.cd("a").cd("b")).await?, scratch.join("a/b").display().to_string());
    assert_eq!(pwd(&here.cd("with space")).await?, scratch.join("with space").display().to_string());
    assert_eq!(pwd(&here.cd("a").cd("/")).await?, "/");
    let home = at.host.run("cd && pwd -P").line().await?;
    assert_eq!(pwd(&here.cd("~")).await?, home);
    assert_eq!(pwd(&here).await?, scratch.display().to_string(), "nothing was changed in place");
    Ok(())
}

pub(super) async fn prefixes_come_after_the_directory_in_their_order(at: &Place) -> Result<()> {
    let host = at.host.cd("/").prefix("printf 'outer %s ' \"$PWD\"").prefix("printf 'inner '");
    assert_eq!(host.run("echo command").line().await?, "outer / inner command");
    Ok(())
}

pub(super) async fn nothing_of_a_line_runs_where_the_directory_is_missing(at: &Place) -> Result<()> {
    let nowhere = at.host.cd(at.scratch.join("missing").display().to_string());
    let error = refused(nowhere.run("echo one; echo two").await, ErrorKind::Exit);
    assert_eq!(error.output().expect("the shell ran").stdout()?, "");
    Ok(())
}

pub(super) async fn a_variable_arrives_byte_for_byte(at: &Place) -> Result<()> {
    let file = at.scratch.join("executed");
    let value = format!("a$b \"c\" 'd' `touch {0}` $(touch {0}) ; \\ \n!*~ f", file.display());
    let host = at.host.env("X", &value);
    assert_eq!(host.run("printf %s \"$X\"").await?.stdout()?, value);
    assert_eq!(host.run("printf %s \"$X\"").spawn()?.await?.stdout()?, value);
    assert_eq!(at.host.local("printf %s \"$X\"").env("X", &value).await?.stdout()?, value);
    let report = ShellLine::raw(format!("{} report", at.probe));
    let report = probe::parse(host.run(&report).await?.stdout_bytes()?);
    assert_eq!(report["env"]["X"], value);
    assert!(!file.exists(), "something of it was executed");
    Ok(())
}

pub(super) async fn a_secret_variable_arrives_byte_for_byte_and_is_in_no_line(at: &Place) -> Result<()> {
    for value in ["it's $a \"b\" `c` \\ é", "  blanks  ", "-n", "", "several\n lines\n\n and their ends\n"] {
        let host = at.host.env("BEFORE", "x").env("TOKEN", Secret::new(value)).env("OTHER", Secret::new("another one"));
        let command =
            host.run("printf '%s|' \"$TOKEN\" \"$OTHER\" \"${fabrs_line-}\"; tr '\\0' ' ' < /proc/$PPID/cmdline; cat");
        let output = command.stdin("and the rest").hide(Hide::Both).await?;
        let said = output.stdout()?;
        let line = said.strip_prefix(&format!("{value}|another one||")).unwrap_or_else(|| panic!("{value:?}: {said}"));
        assert!(line.ends_with("and the rest") && !line.contains("another one"), "{line}");
        assert!(output.command().contains("export TOKEN='[redacted]' && "), "{}", output.command());
        assert_eq!(host.run("cat").hide(Hide::Both).await?.stdout()?, "", "there is nothing else to read");
    }
    Ok(())
}

pub(super) async fn output_larger_than_a_window_arrives_whole(at: &Place) -> Result<()> {
    let line = ShellLine::raw(format!("{} bytes {}", at.probe, 5 << 20));
    let output = at.host.run(&line).hide(Hide::Both).capture_all().await?;
    assert_eq!(output.stdout_bytes()?.len(), 5 << 20);
    assert!(output.stdout_bytes()?.iter().zip((0..=250).cycle()).all(|(found, expected)| *found == expected));
    Ok(())
}

pub(super) async fn a_closed_connection_opens_again(at: &Place) -> Result<()> {
    at.host.close().await;
    at.host.run("true").await?;
    at.host.close().await;
    at.host.close().await;
    at.host.run("true").await?;
    Ok(())
}
