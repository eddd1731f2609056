//! `--json`: each line of stdout is an event.

use fabrs_testing::faults::RefusedPort;
use serde_json::Value;

use crate::fixtures::{fab, marker_file, shop, shop_hosts, with_ssh_config};

/// Parses the events of a run from the lines of stdout.
#[track_caller]
pub(crate) fn parse_events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Returns the events of a kind. `host` selects the events of one host.
pub(crate) fn events_of<'a>(events: &'a [Value], kind: &str, host: Option<&str>) -> Vec<&'a Value> {
    let wanted = |event: &&Value| event["event"] == kind && host.is_none_or(|host| event["host"] == host);
    events.iter().filter(wanted).collect()
}

#[test]
fn a_command_has_start_output_and_end_events() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(fab(), &sshd)
        .args(["--json", "-H", "web1", "--", "echo out; echo err >&2; exit 2"])
        .code(2)
        .run();
    assert_eq!(ran.stderr, "");
    let events = parse_events(&ran.stdout);
    let started = events_of(&events, "command_started", Some("web1"));
    assert_eq!(started.len(), 1, "{events:?}");
    assert_eq!(started[0]["command"], "echo out; echo err >&2; exit 2");
    let ended = events_of(&events, "command_ended", Some("web1"));
    assert_eq!(ended[0]["status"]["code"], 2);
    let lines = events_of(&events, "output_lines", Some("web1"));
    assert!(lines.iter().chain(&ended).all(|event| event["id"] == started[0]["id"]), "{events:?}");
    let text = |stream: &str| -> String {
        lines.iter().filter(|line| line["stream"] == stream).filter_map(|line| line["text"].as_str()).collect()
    };
    assert_eq!((text("stdout").as_str(), text("stderr").as_str()), ("out\n", "err\n"));
    assert!(events.iter().all(|event| event["t"].is_f64()));
}

#[test]
fn a_signal_is_reported_by_its_name() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(fab(), &sshd).args(["--json", "-H", "web1", "--", "kill -HUP $$"]).code(128 + 1).run();
    let events = parse_events(&ran.stdout);
    assert_eq!(events_of(&events, "command_ended", None)[0]["status"]["signal"], "HUP");
}

#[test]
fn a_shell_line_on_one_host_has_a_summary_event() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(fab(), &sshd).args(["--json", "-H", "web1", "--", "exit 2"]).code(2).run();
    let events = parse_events(&ran.stdout);
    assert_eq!(events_of(&events, "summary", None)[0]["outcomes"]["failed"], serde_json::json!(["web1"]));
}

#[test]
fn text_printed_by_a_task_is_not_on_stdout() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let ran = with_ssh_config(shop(), &sshd).args(["--json", "-H", "web1", "prints"]).arg(marker.path()).run();
    assert_eq!(events_of(&parse_events(&ran.stdout), "run_ended", None).len(), 1);
    assert!(ran.stderr.contains("line 19999\n") && ran.stderr.contains("of a program\n"), "{}", ran.stderr.len());
}

#[test]
fn events_of_all_hosts_go_to_stdout_and_errors_to_stderr() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let hosts = format!("web1,{},web2", refused.addr());
    let ran = with_ssh_config(fab(), &sshd).args(["--json", "-H", &hosts, "--", "echo up"]).code(4).run();
    let events = parse_events(&ran.stdout);
    for host in ["web1", "web2"] {
        assert_eq!(events_of(&events, "output_lines", Some(host)).len(), 1);
        assert_eq!(events_of(&events, "command_ended", Some(host))[0]["status"]["code"], 0);
    }
    let port = refused.addr().port();
    let block = format!("error: {0}: could not connect to 127.0.0.1 port {port}\n", refused.addr());
    assert!(ran.stderr.starts_with(&block), "{}", ran.stderr);
}

#[test]
fn invalid_utf_8_does_not_break_a_json_line() {
    let sshd = shop_hosts();
    let line = r#"printf 'a\377b\000"\n\033[1m\n'; printf 'no end'"#;
    let ran = with_ssh_config(fab(), &sshd).args(["--json", "-H", "web1", "--", line]).run();
    let events = parse_events(&ran.stdout);
    let text: String =
        events_of(&events, "output_lines", None).iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(text, "a\u{fffd}b\0\"\n\u{1b}[1m\nno end");
}

#[test]
fn a_dry_run_emits_planned_events() {
    let ran = fab().args(["--json", "-n", "-H", "web1", "--", "make"]).run();
    let events = parse_events(&ran.stdout);
    assert_eq!(events_of(&events, "planned", Some("web1"))[0]["operation"], "make");
    assert_eq!(events_of(&events, "command_ended", None), Vec::<&Value>::new());
}

#[test]
fn an_unreachable_host_has_an_error_with_plain_fields() {
    let refused = RefusedPort::reserve();
    let (host, port) = (refused.addr().to_string(), refused.addr().port());
    let ran = fab().args(["--json", "-H", &host, "--", "true"]).code(4).run();
    let events = parse_events(&ran.stdout);
    for kind in ["command_ended", "shell_line_ended"] {
        let error = &events_of(&events, kind, Some(&host))[0]["error"];
        assert_eq!((&error["kind"], &error["host"]), (&"connect".into(), &host.as_str().into()), "{events:?}");
        assert_eq!(error["message"], format!("could not connect to 127.0.0.1 port {port}"));
        assert_eq!(error["causes"][0], format!("{host}: Connection refused (os error 111)"));
        assert!(
            error["hint"].as_str().is_some_and(|hint| hint.starts_with("no server listens on this port")),
            "{error}"
        );
    }
    assert_eq!(events_of(&events, "shell_line_ended", None)[0]["outcome"], "unreachable");
}

#[test]
fn the_last_event_has_the_counts_and_the_exit_code() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let hosts = format!("web1,{},web2", refused.addr());
    let line = "test -e /nonexistent";
    let ran = with_ssh_config(fab(), &sshd).args(["--json", "-H", &hosts, "--", line]).code(1).run();
    let events = parse_events(&ran.stdout);
    let last = events.last().expect("there are events");
    assert_eq!((&last["event"], &last["exit_code"]), (&"run_ended".into(), &1.into()));
    let counts = [("ok", 0), ("failed", 2), ("unreachable", 1), ("lost", 0), ("skipped", 0), ("not_started", 0)];
    for (outcome, count) in counts.into_iter().chain([("cancelled", 0)]) {
        assert_eq!(last["outcomes"][outcome], count, "{outcome}: {last}");
    }
    assert!(last["error"].is_null());
    let summary = &events_of(&events, "summary", None)[0];
    assert_eq!(
        (&summary["name"], &summary["outcomes"]["failed"]),
        (&line.into(), &serde_json::json!(["web1", "web2"]))
    );
}

#[test]
fn a_run_without_hosts_ends_with_an_event() {
    let case = |project: &[(&str, &str)], arguments: &[&str], code: i32, kind: &str| {
        let ran = fab().project(project).arg("--json").args(arguments).code(code).run();
        let events = parse_events(&ran.stdout);
        let last = events.last().unwrap_or_else(|| panic!("no event: {arguments:?}"));
        assert_eq!((&last["event"], &last["exit_code"]), (&"run_ended".into(), &code.into()), "{last}");
        assert_eq!(last["error"]["kind"], kind);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    };
    case(&[], &["--sreial", "-H", "web1", "--", "true"], 2, "usage");
    case(&[], &["-H", "web1", "deploy"], 2, "usage");
    case(&[("fabrs.toml", "[env.live]\nhost = ['web1']\n")], &["live", "--", "true"], 2, "config");
    case(&[], &["--", "true"], 3, "no_host");
}

#[test]
fn the_task_list_is_available_as_json() {
    let ran = shop().args(["--json", "--list"]).stderr("").run();
    let list: Value = serde_json::from_str(&ran.stdout).expect("the list is an object");
    let named = |name: &str| {
        let tasks = list["tasks"].as_array().expect("`tasks` is a list");
        tasks.iter().find(|task| task["name"] == name).expect("the task is listed").clone()
    };
    let (hello, tell) = (named("hello"), named("tell"));
    assert_eq!((&hello["aliases"], &hello["default"]), (&serde_json::json!(["hi"]), &true.into()));
    assert_eq!(hello["doc"], "Says hello.");
    let expected = serde_json::json!({
        "name": "b", "short": null, "doc": "A number.", "kind": "optional", "type": "i64", "default": "1"
    });
    assert_eq!(tell["parameters"][1], expected);
    assert!(list["environments"].as_array().is_some_and(|names| names.contains(&"live".into())), "{list}");
}
