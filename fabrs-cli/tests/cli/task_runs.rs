//! Tasks on hosts: their output, order, and the effect of a failure on other hosts and tasks.

use fabrs_testing::faults::RefusedPort;
use fabrs_testing::{marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, location_of, marker_file, shop, shop_hosts, sorted, with_ssh_config, without_times};
use crate::json::{events_of, parse_events};

#[test]
fn the_default_task_runs_without_a_task_name() {
    let sshd = shop_hosts();
    let stderr = ["[web2] task hello", "[web2] task hello: ok", "hello: 1 ok"];
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web2"]).stdout("[web2] hello\n").run();
    assert_eq!(without_times(&ran.stderr), stderr);
    let ran = with_ssh_config(shop(), &sshd).args(["live", "--serial"]).run();
    assert_eq!(ran.stdout, "[web1] hello\n[web2] hello\n[web3] hello\n[db1] hello\n");
}

#[test]
fn options_may_follow_the_task_and_host_options_override_its_hosts() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["live", "deploy", "t1", "-H", "db1", "--echo"]);
    run.stdout("[db1] t1 on db1\n").stderr_contains("[db1] $ echo t1 on db1\n").run();
}

#[test]
fn a_task_runs_on_the_hosts_of_its_role() {
    let sshd = shop_hosts();
    with_ssh_config(shop(), &sshd).args(["live", "backup"]).stdout("[db1] saved\n").run();
    let role = "error: role `web` needs an environment\nhint: select hosts with `-H HOST`, or write an environment before the task: `live`, `guarded`, `empty`\n";
    shop().args(["deploy", "t1"]).code(2).stderr(role).run();
    shop()
        .args(["empty", "deploy", "t1"])
        .code(2)
        .stderr_contains("error: environment `empty` has no role `web`")
        .run();
    let none = "error: environment `empty` has no host\nhint: add one to its `hosts`, or select hosts with `-H HOST`\n";
    shop().args(["empty", "hello"]).code(3).stderr(none).run();
}

#[test]
fn a_rolling_task_stops_at_the_first_failed_host() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["live", "deploy", "t1", "--fail-on", "web2"]).code(1).run();
    assert_eq!(ran.stdout, "[web1] t1 on web1\n");
    let at = format!("  at {}", location_of("has no room for"));
    let expected = [
        "[web1] task deploy",
        "[web1] task deploy: ok",
        "[web2] task deploy",
        "error: web2: web2 has no room for t1",
        &at,
        "deploy: 1 ok, 1 failed (web2), 1 not started (web3)",
    ];
    assert_eq!(without_times(&ran.stderr), expected);
}

#[test]
fn a_failed_command_is_one_error_with_host_command_status_and_location() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "fail", "3"]).code(1).stdout("[web1] trying\n").run();
    let at = format!("  at {}", location_of("exit {status}"));
    let block = ["error: web1: `echo trying; exit 3` ended with exit status 3", &at];
    assert_eq!(without_times(&ran.stderr), ["[web1] task fail", block[0], block[1], "fail: 1 failed (web1)"]);
    // 127 and 255 are ordinary exit statuses. The exit code of a failed task is always 1.
    for status in ["127", "255", "4", "5"] {
        let run = with_ssh_config(shop(), &sshd).args(["-H", "web1", "fail", status]);
        run.code(1).stderr_contains(format!("ended with exit status {status}\n")).run();
    }
}

#[test]
fn a_failure_ends_the_run_before_the_next_task() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let run = || with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "fail-on", "web2", "mark"]).arg(marker.path());
    run().code(1).stderr_contains("fail-on: 1 ok, 1 failed (web2)\nmark: 2 not started (web1, web2)\n").run();
    assert!(!marker.exists());
    let on = run().arg("--keep-going").code(1);
    on.stderr_contains("fail-on: 1 ok, 1 failed (web2)\nmark: 1 ok, 1 not started (web2)\n").run();
    assert!(marker.exists());
}

#[test]
fn tasks_run_in_order_on_all_hosts_before_the_shell_line() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "--serial", "hello", "mark"]);
    let ran = run.arg(marker_file(&sshd).path()).args(["hi", "--", "echo line"]).run();
    let hello = "[web1] hello\n[web2] hello\n";
    assert_eq!(ran.stdout, format!("{hello}{hello}[web1] line\n[web2] line\n"));
    assert!(ran.stderr.contains("hello: 2 ok\nmark: 2 ok\nhello: 2 ok\n"), "{}", ran.stderr);
}

#[test]
fn one_run_opens_one_connection_per_host() {
    let sshd = shop_hosts();
    with_ssh_config(shop(), &sshd).args(["-H", "web1", "hello", "hello", "plain", "x", "--", "echo line"]).run();
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
}

#[test]
fn an_unreachable_host_does_not_hide_another() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let hosts = format!("web1,{},web2", refused.addr());
    let run = || with_ssh_config(shop(), &sshd).args(["-H", &hosts, "--keep-going", "hello"]);
    let ran = run().code(4).run();
    assert_eq!(sorted(&ran.stdout), ["[web1] hello", "[web2] hello"]);
    let summary = format!("hello: 2 ok, 1 unreachable ({})\n", refused.addr());
    assert!(ran.stderr.ends_with(&summary), "{}", ran.stderr);
    assert!(ran.stderr.contains("Connection refused"), "{}", ran.stderr);
    // A failure outweighs an unreachable host in the exit code.
    let ran = with_ssh_config(shop(), &sshd).args(["-H", &hosts, "--keep-going", "fail", "3"]).code(1).run();
    let summary = format!("fail: 2 failed (web1, web2), 1 unreachable ({})\n", refused.addr());
    assert!(ran.stderr.ends_with(&summary), "{}", ran.stderr);
}

#[test]
fn skipped_hosts_do_not_stop_the_others() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let hosts = format!("web1,{},web2", refused.addr());
    let run = with_ssh_config(shop(), &sshd).args(["-H", &hosts, "--serial", "--skip-bad-hosts", "hello", "hi"]);
    let ran = run.stdout("[web1] hello\n[web2] hello\n".repeat(2)).run();
    let skipped = format!("[{}] task hello: skipped: could not connect to 127.0.0.1", refused.addr());
    assert!(ran.stderr.contains(&skipped), "{}", ran.stderr);
    let summary = format!("hello: 2 ok, 1 skipped ({})\nhello: 2 ok, 1 skipped ({0})\n", refused.addr());
    assert!(ran.stderr.ends_with(&summary), "{}", ran.stderr);
}

#[test]
fn a_dry_run_prints_the_plan_and_opens_no_connection() {
    let refused = RefusedPort::reserve();
    let host = refused.addr().to_string();
    let ran = shop().args(["-n", "-H", &format!("{host},nowhere.invalid"), "--serial", "deploy", "it's"]).run();
    assert_eq!(ran.stdout, "");
    let expected = [
        &format!("[{host}] task deploy"),
        &format!("[{host}] would run: echo it\\'s on 127.0.0.1"),
        &format!("[{host}] task deploy: ok"),
        "[nowhere.invalid] task deploy",
        "[nowhere.invalid] would run: echo it\\'s on nowhere.invalid",
        "[nowhere.invalid] task deploy: ok",
        "deploy: 2 ok",
        "dry run: nothing was changed",
    ];
    assert_eq!(without_times(&ran.stderr), expected);
}

#[test]
fn a_dry_run_ends_at_the_result_of_a_planned_command() {
    let case = |arguments: &[&str], asked: &str, looked: &str, line: &str| {
        let ran = shop().args(["-n", "-H", "nowhere.invalid"]).args(arguments).code(6).stdout("").run();
        let made = if asked == looked { String::new() } else { format!("({}) ", location_of(asked)) };
        let end = format!(
            "[nowhere.invalid] would run: {line}\n\
             [nowhere.invalid] planned up to here ({}): `{line}` {made}was not run in this dry run and has no result\n  \
             hint: use `probe(..)` for a command that only reads, since a dry run also runs it\n\
             {}: 1 incomplete (nowhere.invalid)\ndry run: nothing was changed; the plan is incomplete\n",
            location_of(looked),
            arguments[0]
        );
        assert!(ran.stderr.ends_with(&end), "{}\ninstead of\n{end}", ran.stderr);
    };
    case(&["plain", "x"], "cmd!(\"echo {word}\")", "answer.line()", "echo x");
    // Also if the task ignores the error, because the following steps depend on a missing value.
    case(&["ignore-error"], "echo first", "echo first", "echo first");
}

#[test]
fn warn_only_reports_a_failed_task_command_as_a_warning() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["-H", "web1", "-w", "fail", "3", "hello"]);
    let ran = run.stdout("[web1] trying\n[web1] hello\n").run();
    assert!(ran.stderr.contains("warning: web1: `echo trying; exit 3` ended with exit status 3\n"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("fail: 1 ok\nhello: 1 ok\n"), "{}", ran.stderr);
}

#[test]
fn events_report_tasks_and_the_outcome_of_every_host() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["--json", "live", "deploy", "t1", "--fail-on", "web2"]);
    let ran = run.code(1).run();
    let events = parse_events(&ran.stdout);
    let outcomes: Vec<_> = events_of(&events, "task_ended", None).iter().map(|event| &event["outcome"]).collect();
    assert_eq!(outcomes, ["ok", "failed", "not_started"]);
    assert!(events_of(&events, "task_started", Some("web3")).is_empty());
    let block = format!("error: web2: web2 has no room for t1\n  at {}\n", location_of("has no room for"));
    assert_eq!(ran.stderr, block);
}

#[test]
fn disowned_commands_continue_after_fab_exits() {
    let (sshd, mark) = (shop_hosts(), marker());
    with_ssh_config(shop(), &sshd).args(["-H", "web1", "leave", &mark]).stderr_contains("leave: 1 ok\n").run();
    let mut left = processes_matching(&mark);
    left.retain(|process| process.cmdline.starts_with("sleep "));
    assert_eq!(left.len(), 1, "{left:?}");
    for process in left {
        let killed = std::process::Command::new("kill").arg(process.pid.to_string()).status();
        assert!(killed.expect("`kill` is installed").success());
    }
    wait_until("the command has ended", LIMIT, || processes_matching(&mark).is_empty());
}
