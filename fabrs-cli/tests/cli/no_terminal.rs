//! Runs under cron, on a CI server or in a pipe: no terminal, no input, and closed pipes.

use std::fs;

use fabrs_testing::{Fab, Sshd, marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, marker_file, shell, shop, shop_folder, shop_hosts, sorted, with_ssh_config};

/// Returns a script that runs in the shop project. `$CONFIG` is the `ssh_config` of the server.
fn shop_script(sshd: &Sshd, text: &str) -> Fab {
    shell(text).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config())
}

#[test]
fn a_log_has_plain_lines_and_no_escape_codes() {
    let sshd = shop_hosts();
    let run =
        shop_script(&sshd, r#"setsid --wait "$FAB" -S "$CONFIG" live hello mark "$MARK" -e </dev/null >"$LOG" 2>&1"#);
    let log = run.dir().join("log");
    let run = run.env("LOG", &log).env("MARK", marker_file(&sshd).path()).env_remove("TERM");
    let _project = run.stdout("").stderr("").run();
    let log = fs::read_to_string(log).expect("the script wrote the file");
    assert!(!log.contains(['\u{1b}', '\r', '\u{8}']), "{log:?}");
    for line in ["[web1] task hello", "[web2] $ echo hello", "[db1] hello", "hello: 4 ok", "mark: 4 ok"] {
        assert!(log.lines().any(|found| found == line), "`{line}` is not in {log}");
    }
}

#[test]
fn without_a_terminal_an_unknown_host_key_is_an_error() {
    let sshd = shop_hosts();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let script = shop_script(&sshd, r#"setsid --wait "$FAB" -S "$CONFIG" -H web1 hello </dev/null"#).code(5);
    let ran = script.env_remove("TERM").run();
    assert!(ran.stderr.contains("error: web1: the host's ssh-ed25519 key is not known\n"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("hello: 1 unreachable (web1)\n"), "{}", ran.stderr);
}

#[test]
fn a_protected_environment_requires_yes_or_a_fingerprint() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let run = || with_ssh_config(shop(), &sshd).args(["guarded", "mark"]).arg(marker.path()).own_session();
    let question = "error: `guarded` is protected, and no terminal is available to confirm it";
    let hint = "hint: confirm with `-y`, or list the changes with `-n` and approve them with `--yes=FINGERPRINT`";
    run().code(2).stderr(format!("{question}\n{hint}\n")).run();
    let planned = run().arg("-n").stderr_contains("[web1] would run: touch ").run();
    let fingerprint =
        planned.stderr.split("`--yes=").nth(1).and_then(|rest| rest.get(..16)).expect("the fingerprint is printed");
    run().arg("--yes=0123456789abcdef").code(1).stderr_contains("differ from the approved ones").run();
    let other = with_ssh_config(shop(), &sshd)
        .args(["guarded", "mark"])
        .arg(marker.path().with_extension("other"))
        .own_session();
    other.arg(format!("--yes={fingerprint}")).code(1).stderr_contains("differ from the approved ones").run();
    assert!(!marker.exists());
    run().arg(format!("--yes={fingerprint}")).stderr_contains("mark: 1 ok\n").run();
    assert!(marker.exists());
    fs::remove_file(marker.path()).expect("the file was created");
    run().arg("-y").stderr_contains("mark: 1 ok\n").run();
    assert!(marker.exists());
}

#[test]
fn stdin_inherit_reads_a_pipe_a_file_or_nothing() {
    let sshd = shop_hosts();
    let fab = r#""$FAB" -S "$CONFIG" -H web1 reads 2>/dev/null"#;
    for (given, stdout) in [
        (format!("seq 100000 | {fab}"), "[web1] 1\n[web1] over\n"),
        (format!("echo from a file > \"$LOG\"; {fab} <\"$LOG\""), "[web1] from a file\n[web1] over\n"),
        (format!("{fab} </dev/null"), "[web1] over\n"),
        (format!("{fab} <&-"), "[web1] over\n"),
    ] {
        let run = shop_script(&sshd, &given);
        let log = run.dir().join("log");
        run.env("LOG", log).stdout(stdout).run();
    }
}

#[test]
fn stdin_inherit_is_an_error_on_several_hosts_at_once() {
    let sshd = shop_hosts();
    let run = shop_script(&sshd, r#"seq 100000 | "$FAB" -S "$CONFIG" -H web1,web2 reads"#).code(1);
    let ran = run.run();
    assert!(ran.stderr.contains("the stdin of this program is in use by another command"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: use `--serial` to run the hosts one after the other"), "{}", ran.stderr);
}

#[test]
fn fab_in_a_shell_loop_leaves_stdin_to_the_loop() {
    let sshd = shop_hosts();
    for call in [r#""$FAB" -S "$CONFIG" -H $h -- 'cat; echo here'"#, r#""$FAB" -S "$CONFIG" -H $h hello 2>&-"#] {
        let text = format!("printf 'web1\nweb2\nweb3\n' > \"$HOSTS\"; while read h; do {call}; done < \"$HOSTS\"");
        let run = shop_script(&sshd, &text);
        let hosts = run.dir().join("hosts");
        let ran = run.env("HOSTS", hosts).stderr("").run();
        assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    }
}

#[test]
fn a_shell_line_ends_quietly_when_its_reader_exits() {
    let sshd = shop_hosts();
    for hosts in ["web1", "web1,web2"] {
        let mark = marker();
        let line = format!("while :; do echo {mark}; done");
        let text = r#"{ "$FAB" -S "$CONFIG" -H "$HOSTS" -- "$LINE"; echo "code $?" >&2; } | head -1"#;
        let ran = shop_script(&sshd, text).env("HOSTS", hosts).env("LINE", line).stderr("code 141\n").run();
        assert!(ran.stdout.ends_with(&format!("{mark}\n")), "{}", ran.stdout);
        wait_until("the shell line has ended", LIMIT, || processes_matching(&mark).is_empty());
    }
}

#[test]
fn a_task_continues_when_its_reader_exits() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let text = r#"{ "$FAB" -S "$CONFIG" -H web1 talk "$MARK" 2>&-; echo "code $?" >&2; } | head -1"#;
    shop_script(&sshd, text).env("MARK", marker.path()).stdout("[web1] line 0\n").stderr("code 0\n").run();
    assert!(marker.exists());
}

#[test]
fn pages_accept_a_closed_pipe() {
    let text = r#"{ "$FAB" --help; echo "code $?" >&2; } | head -1; { "$FAB" --list; echo "code $?" >&2; } | :"#;
    let sshd = shop_hosts();
    let page = "Runs tasks from a tasks.rs file, or a shell line, on hosts over SSH.\n";
    shop_script(&sshd, text).stdout(page).stderr("code 0\ncode 0\n").run();
}

#[test]
fn with_a_closed_stdin_commands_read_nothing() {
    let sshd = shop_hosts();
    let run = || with_ssh_config(shop(), &sshd).args(["-H", "web1"]).closed_stdin();
    run().args(["--", "wc -c"]).stdout("0\n").run();
    run().arg("hello").stdout("[web1] hello\n").run();
    shop().args(["tell", "x"]).closed_stdin().stdout_contains("a=x").run();
}

#[test]
fn with_a_closed_stdout_or_stderr_the_tasks_run() {
    let sshd = shop_hosts();
    for closed in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let marker = marker_file(&sshd);
        let text = format!(r#""$FAB" -S "$CONFIG" -H web1,web2 hello mark "$MARK" {closed}"#);
        shop_script(&sshd, &text).env("MARK", marker.path()).run();
        assert!(marker.exists(), "{closed}");
        fs::remove_file(marker.path()).expect("the test created the file");
    }
}

#[test]
fn all_output_is_written_before_the_exit() {
    let sshd = shop_hosts();
    let line = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done";
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2,web3", "--", line]).run();
    let mut expected: Vec<String> =
        ["web1", "web2", "web3"].iter().flat_map(|host| (0..2000).map(move |n| format!("[{host}] line {n}"))).collect();
    expected.sort_unstable();
    assert!(sorted(&ran.stdout) == expected, "{} lines", ran.stdout.lines().count());
}
