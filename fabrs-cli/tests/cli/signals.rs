//! Signals during a run: the first stops, the second kills, and no process remains on the hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use fabrs_testing::faults::{Proxy, RefusedPort};
use fabrs_testing::{Fab, Process, RunningFab, marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, shop, shop_hosts, with_ssh_config};
use crate::groups::{COMPILING, groups};

/// Checks that no process has the marker in the command line. All hosts are this machine.
#[track_caller]
fn assert_no_process(mark: &str) {
    assert_eq!(processes_matching(mark), Vec::<Process>::new());
}

#[test]
fn the_first_ctrl_c_stops_all_hosts_and_the_summary_lists_them() {
    let sshd = shop_hosts();
    let nap = marker();
    let running = with_ssh_config(shop(), &sshd).args(["live", "nap", &nap, "hello"]).code(130).spawn();
    for host in ["web1", "web2", "web3", "db1"] {
        running.wait_for_stdout(&format!("[{host}] napping\n"), LIMIT);
    }
    running.interrupt();
    let ran = running.wait();
    assert_no_process(&nap);
    let end = "nap: 4 cancelled (web1, web2, web3, db1)\nhello: 4 not started (web1, web2, web3, db1)\n";
    assert!(ran.stderr.ends_with(end), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nstopping; press Ctrl-C again to kill the remaining commands\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("error:") && !ran.stderr.contains("may still be running"), "{}", ran.stderr);
    assert_eq!(sshd.session_processes(), Vec::<Process>::new());
}

#[test]
fn a_stopped_run_does_not_start_waiting_hosts() {
    let sshd = shop_hosts();
    let nap = marker();
    let running = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "--serial", "nap", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] napping\n", LIMIT);
    running.interrupt();
    let ran = running.wait();
    assert_no_process(&nap);
    assert!(ran.stderr.ends_with("nap: 1 cancelled (web1), 1 not started (web2)\n"), "{}", ran.stderr);
}

#[test]
fn ctrl_c_ends_a_shell_line_with_its_children() {
    let sshd = shop_hosts();
    for hosts in ["web1", "web1,web2"] {
        let nap = marker();
        let line = format!("echo up; sleep {nap} & sleep {nap} | cat");
        let running = with_ssh_config(shop(), &sshd).args(["-H", hosts, "--", &line]).code(130).spawn();
        running.wait_for_stdout("up\n", LIMIT);
        running.interrupt();
        let ran = running.wait();
        assert_no_process(&nap);
        assert!(
            ran.stderr.starts_with("stopping; press Ctrl-C again to kill the remaining commands\n"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn the_second_ctrl_c_kills_commands_that_ignore_term() {
    let sshd = shop_hosts();
    let nap = marker();
    let running = with_ssh_config(shop(), &sshd).args(["-H", "web1", "ignore-term", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] deaf\n", LIMIT);
    running.interrupt();
    running.wait_for_stderr("stopping; press Ctrl-C again to kill the remaining commands\n", LIMIT);
    running.interrupt();
    let ran = running.wait();
    assert_no_process(&nap);
    assert!(ran.stderr.ends_with("ignore-term: 1 cancelled (web1)\n"), "{}", ran.stderr);
}

#[test]
fn commands_that_ignore_term_are_killed_after_the_grace_period() {
    let sshd = shop_hosts();
    let nap = marker();
    let running = with_ssh_config(shop(), &sshd).args(["-H", "web1", "ignore-term", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] deaf\n", LIMIT);
    running.interrupt();
    running.wait();
    assert_no_process(&nap);
}

#[test]
fn term_and_hup_stop_a_run() {
    let sshd = shop_hosts();
    let case = |code: i32, send: fn(&RunningFab)| {
        let nap = marker();
        let running = with_ssh_config(shop(), &sshd).args(["-H", "web1", "nap", &nap]).code(code).spawn();
        running.wait_for_stdout("[web1] napping\n", LIMIT);
        send(&running);
        running.wait();
        assert_no_process(&nap);
    };
    case(128 + 15, RunningFab::terminate);
    case(128 + 1, RunningFab::hang_up);
}

#[test]
fn ctrl_c_cancels_an_unanswered_login() {
    let silent = Proxy::silent();
    let running = shop().args(["-H", &silent.addr().to_string(), "hello"]).code(130).spawn();
    wait_until("fab connects", LIMIT, || silent.accepted() == 1);
    running.interrupt();
    let ran = running.wait();
    assert!(ran.stderr.ends_with(&format!("hello: 1 cancelled ({})\n", silent.addr())), "{}", ran.stderr);
}

#[test]
fn an_unread_stdout_delays_neither_hosts_nor_a_stop() {
    let sshd = shop_hosts();
    let (mark, done) = (marker(), crate::fixtures::marker_file(&sshd));
    let line = format!("yes | head -c 20000000; touch '{}'; sleep {mark}", done.path().display());
    let text = r#"{ "$FAB" -S "$CONFIG" -H web1,web2 -- "$LINE"; echo "code $?" >&2; } | { read -r first; cat <"$GATE" >/dev/null; }"#;
    let run = crate::fixtures::shell(text).current_dir(crate::fixtures::shop_folder());
    let gate = run.dir().join("gate");
    let fifo = std::process::Command::new("mkfifo").arg(&gate).status().expect("`mkfifo` is installed");
    assert!(fifo.success());
    let run = run.env("CONFIG", sshd.ssh_config()).env("LINE", &line).env("GATE", &gate);
    let running = run.stderr_contains("code 130\n").spawn();
    // The output exceeds the capacity of every pipe.
    wait_until("the command has created the file", LIMIT, || done.exists());
    let fabs = processes_matching(&line);
    let fab = fabs.iter().find(|process| process.cmdline.contains(" -H web1,web2 -- ")).expect("the process runs");
    fab.interrupt();
    wait_until("the commands of the hosts have ended", LIMIT, || {
        processes_matching(&mark).iter().all(|process| !process.cmdline.starts_with("sleep "))
    });
    wait_until("fab has ended", LIMIT, || !fab.is_alive());
    // Only now does the reader continue.
    fs::write(&gate, "").expect("the test owns the file");
    running.wait();
}

#[test]
fn ctrl_c_ends_a_prompt_behind_an_unread_stdout() {
    let sshd = shop_hosts();
    let done = crate::fixtures::marker_file(&sshd);
    // The reader ignores Ctrl-C on the terminal.
    let text = r#"{ "$FAB" -S "$CONFIG" -H web1 flooded "$DONE"; echo "code $?" >&2; } |
        { trap '' INT; read -r first; cat <"$GATE" >/dev/null; }"#;
    let run = crate::fixtures::shell(text).current_dir(crate::fixtures::shop_folder());
    let gate = run.dir().join("gate");
    let fifo = std::process::Command::new("mkfifo").arg(&gate).status().expect("`mkfifo` is installed");
    assert!(fifo.success());
    let run = run.env("CONFIG", sshd.ssh_config()).env("GATE", &gate).env("DONE", done.path());
    let mut shell = run.spawn_on_terminal();
    wait_until("the command has created the file", LIMIT, || done.exists());
    let path = done.path().display().to_string();
    for fab in processes_matching(&path).iter().filter(|process| process.cmdline.contains(" -H web1 flooded ")) {
        fab.interrupt();
    }
    shell.expect("code 130", LIMIT);
    fs::write(&gate, "").expect("the test owns the file");
    shell.wait(LIMIT);
}

#[test]
fn ctrl_c_ends_an_open_prompt() {
    let sshd = shop_hosts();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1", "token"]).spawn_on_terminal();
    fab.expect("Token", LIMIT);
    fab.send("\u{3}");
    assert_eq!(fab.wait(LIMIT), 130);
}

#[test]
fn a_cancelled_prompt_leaves_input_and_echo_to_the_next_prompt() {
    let sshd = shop_hosts();
    let gate = crate::fixtures::marker_file(&sshd);
    let path = gate.path().display().to_string();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1", "withdrawn", &path]).spawn_on_terminal();
    fab.expect("First: ", LIMIT);
    // The start of the first answer must not become part of the second answer.
    fab.send("half");
    fs::write(gate.path(), "").expect("the test owns the file");
    fab.expect("Second: ", LIMIT);
    fab.send("correct horse\n");
    fab.expect("13 letters", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(!fab.screen().contains("correct horse"), "{}", fab.screen());
}

#[test]
fn term_ends_a_slow_vagrant_inside_a_task() {
    let nap = marker();
    let script = format!("#!/bin/sh\nsleep {nap} & echo hanging > \"$HANGING\"; wait\n");
    let run = groups().project(&[("bin/vagrant", &script)]);
    let (bin, hanging) = (run.dir().join("bin"), run.dir().join("hanging"));
    fs::set_permissions(bin.join("vagrant"), fs::Permissions::from_mode(0o755)).expect("the test owns the directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("the variable is set"));
    let run = run.env("PATH", path).env("HANGING", &hanging);
    let running = run.args(["machines", "overlap-of-role"]).code(143).spawn();
    wait_until("Vagrant hangs", COMPILING, || hanging.exists());
    running.terminate();
    running.wait();
    wait_until("all processes have ended", LIMIT, || processes_matching(&nap) == Vec::<Process>::new());
}

#[test]
fn three_signals_restore_the_terminal_of_an_interactive_command() {
    let sshd = shop_hosts();
    let proxy = Proxy::to(sshd.addr());
    let config = fs::read_to_string(sshd.ssh_config()).expect("the file exists");
    let config = config.replace("StrictHostKeyChecking yes", "StrictHostKeyChecking no");
    let (from, to) = (format!("Port {}", sshd.port()), format!("Port {}", proxy.port()));
    assert!(config.contains(&from), "{config}");
    let text = r#""$FAB" -S "$CONFIG" -H web1 open-shell; echo "code $?"; stty -a | tr ' ' '\n' | grep -e 'icanon$'"#;
    let run = crate::fixtures::shell(text).project(&[("config", &config.replace(&from, &to))]);
    let path = run.dir().join("config");
    let mark = path.display().to_string();
    let run = run.env("CONFIG", path).current_dir(crate::fixtures::shop_folder());
    let mut shell = run.spawn_on_terminal();
    shell.send("echo sum-$((1 + 1))\n");
    shell.expect("sum-2", LIMIT);
    proxy.stall();
    let all = processes_matching(&mark);
    let fab = all.iter().find(|process| process.cmdline.ends_with(" open-shell")).expect("the process runs");
    wait_until("fab has ended", LIMIT, || {
        fab.terminate();
        !fab.is_alive()
    });
    shell.expect("code 143", LIMIT);
    shell.expect("\nicanon", LIMIT);
    shell.wait(LIMIT);
}

/// Returns a run of a plain task on 600 hosts at once. Each host resolves to this machine by a name
/// lookup.
fn six_hundred_plain_tasks(port: u16) -> Fab {
    let config = format!("Host h*\n  HostName localhost\n  Port {port}\n  StrictHostKeyChecking no\n");
    let run = shop().project(&[("config", &config)]);
    let config = run.dir().join("config");
    run.arg("-S").arg(config).args(["-P", "600", "-H", "h[1-600]", "plain", "word"])
}

#[test]
fn six_hundred_plain_tasks_leave_threads_for_name_lookups() {
    let refused = RefusedPort::reserve();
    let ran = six_hundred_plain_tasks(refused.addr().port()).arg("--keep-going").code(4).run();
    assert!(ran.stderr.contains("plain: 600 unreachable"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("timed out"), "{}", ran.stderr);
}

#[test]
fn ctrl_c_ends_six_hundred_plain_tasks() {
    let silent = Proxy::silent();
    let running = six_hundred_plain_tasks(silent.addr().port()).code(130).spawn();
    wait_until("fab connects", LIMIT, || silent.accepted() > 0);
    running.interrupt();
    running.wait();
}
