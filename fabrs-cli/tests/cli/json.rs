//! `--json`: each line of stdout is an event.

use fabrs_testing::faults::Refused;
use serde_json::Value;

use crate::place::{fab, fleet, knowing};

/// Reads the events of a run: every line is one.
#[track_caller]
pub(crate) fn events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Returns the events of a kind and, where one is named, of a host.
pub(crate) fn of<'a>(events: &'a [Value], kind: &str, host: Option<&str>) -> Vec<&'a Value> {
    let wanted = |event: &&Value| event["event"] == kind && host.is_none_or(|host| event["host"] == host);
    events.iter().filter(wanted).collect()
}

#[test]
fn a_command_is_its_begin_its_lines_and_its_end() {
    let sshd = fleet();
    let ran =
        knowing(fab(), &sshd).args(["--json", "-H", "web1", "--", "echo out; echo err >&2; exit 2"]).code(2).run();
    assert_eq!(ran.stderr, "");
    let events = events(&ran.stdout);
    let started = of(&events, "command_started", Some("web1"));
    assert_eq!(started.len(), 1, "{events:?}");
    assert_eq!(started[0]["command"], "echo out; echo err >&2; exit 2");
    let ended = of(&events, "command_ended", Some("web1"));
    assert_eq!(ended[0]["status"]["code"], 2);
    let lines = of(&events, "lines", Some("web1"));
    assert!(lines.iter().chain(&ended).all(|event| event["number"] == started[0]["number"]), "{events:?}");
    let text = |stream: &str| -> String {
        lines.iter().filter(|line| line["stream"] == stream).filter_map(|line| line["text"].as_str()).collect()
    };
    assert_eq!((text("stdout").as_str(), text("stderr").as_str()), ("out\n", "err\n"));
    assert!(events.iter().all(|event| event["t"].is_f64()));
}

#[test]
fn a_signal_has_its_name() {
    let sshd = fleet();
    let ran = knowing(fab(), &sshd).args(["--json", "-H", "web1", "--", "kill -HUP $$"]).code(128 + 1).run();
    let events = events(&ran.stdout);
    assert_eq!(of(&events, "command_ended", None)[0]["status"]["signal"], "HUP");
}

#[test]
fn several_hosts_share_stdout_and_the_blocks_of_errors_go_to_stderr() {
    let sshd = fleet();
    let refused = Refused::port();
    let hosts = format!("web1,{},web2", refused.addr());
    let ran = knowing(fab(), &sshd).args(["--json", "-H", &hosts, "--", "echo up"]).code(4).run();
    let events = events(&ran.stdout);
    for host in ["web1", "web2"] {
        assert_eq!(of(&events, "lines", Some(host)).len(), 1);
        assert_eq!(of(&events, "command_ended", Some(host))[0]["status"]["code"], 0);
    }
    let port = refused.addr().port();
    let block = format!("error: {0}: could not connect to 127.0.0.1 port {port}\n", refused.addr());
    assert!(ran.stderr.starts_with(&block), "{}", ran.stderr);
}

#[test]
fn bytes_that_are_no_text_do_not_break_a_line() {
    let sshd = fleet();
    let line = r#"printf 'a\377b\000"\n\033[1m\n'; printf 'no end'"#;
    let ran = knowing(fab(), &sshd).args(["--json", "-H", "web1", "--", line]).run();
    let events = events(&ran.stdout);
    let text: String = of(&events, "lines", None).iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(text, "a\u{fffd}b\0\"\n\u{1b}[1m\nno end");
}

#[test]
fn a_dry_run_is_planned_events() {
    let ran = fab().args(["--json", "-n", "-H", "web1", "--", "make"]).run();
    let events = events(&ran.stdout);
    assert_eq!(of(&events, "planned", Some("web1"))[0]["what"], "make");
    assert_eq!(of(&events, "command_ended", None), Vec::<&Value>::new());
}
