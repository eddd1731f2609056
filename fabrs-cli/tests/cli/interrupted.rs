//! Signals: the first stops and reports, the second kills; nothing is left on the hosts.

use fabrs_testing::faults::Proxy;
use fabrs_testing::{Process, Running, marker, processes_matching, wait_until};

use crate::place::{LIMIT, fleet, knowing, shop};

/// Checks that nothing on this machine, which plays the hosts, has the mark in its command line.
#[track_caller]
fn gone(mark: &str) {
    assert_eq!(processes_matching(mark), Vec::<Process>::new());
}

#[test]
fn the_first_ends_what_runs_on_all_hosts_and_the_summary_names_them() {
    let sshd = fleet();
    let nap = marker();
    let running = knowing(shop(), &sshd).args(["live", "nap", &nap, "hello"]).code(130).spawn();
    for host in ["web1", "web2", "web3", "db1"] {
        running.wait_for_stdout(&format!("[{host}] napping\n"), LIMIT);
    }
    running.interrupt();
    let ran = running.wait();
    gone(&nap);
    let end = "nap: 4 cancelled (web1, web2, web3, db1)\nhello: 4 not reached (web1, web2, web3, db1)\n";
    assert!(ran.stderr.ends_with(end), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nstopping: once more kills\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("error:") && !ran.stderr.contains("may still be running"), "{}", ran.stderr);
    assert_eq!(sshd.session_processes(), Vec::<Process>::new());
}

#[test]
fn hosts_whose_turn_had_not_come_are_not_reached() {
    let sshd = fleet();
    let nap = marker();
    let running = knowing(shop(), &sshd).args(["-H", "web1,web2", "--serial", "nap", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] napping\n", LIMIT);
    running.interrupt();
    let ran = running.wait();
    gone(&nap);
    assert!(ran.stderr.ends_with("nap: 1 cancelled (web1), 1 not reached (web2)\n"), "{}", ran.stderr);
}

#[test]
fn a_line_is_ended_with_all_it_started() {
    let sshd = fleet();
    for hosts in ["web1", "web1,web2"] {
        let nap = marker();
        let line = format!("echo up; sleep {nap} & sleep {nap} | cat");
        let running = knowing(shop(), &sshd).args(["-H", hosts, "--", &line]).code(130).spawn();
        running.wait_for_stdout("up\n", LIMIT);
        running.interrupt();
        let ran = running.wait();
        gone(&nap);
        assert!(ran.stderr.starts_with("stopping: once more kills\n"), "{}", ran.stderr);
    }
}

#[test]
fn the_second_kills_what_does_not_listen() {
    let sshd = fleet();
    let nap = marker();
    let running = knowing(shop(), &sshd).args(["-H", "web1", "deaf", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] deaf\n", LIMIT);
    running.interrupt();
    running.wait_for_stderr("stopping: once more kills\n", LIMIT);
    running.interrupt();
    let ran = running.wait();
    gone(&nap);
    assert!(ran.stderr.ends_with("deaf: 1 cancelled (web1)\n"), "{}", ran.stderr);
}

#[test]
fn what_does_not_listen_is_killed_after_a_while_anyway() {
    let sshd = fleet();
    let nap = marker();
    let running = knowing(shop(), &sshd).args(["-H", "web1", "deaf", &nap]).code(130).spawn();
    running.wait_for_stdout("[web1] deaf\n", LIMIT);
    running.interrupt();
    running.wait();
    gone(&nap);
}

#[test]
fn a_service_manager_and_a_terminal_that_is_closed_stop_it_too() {
    let sshd = fleet();
    let case = |code: i32, send: fn(&Running)| {
        let nap = marker();
        let running = knowing(shop(), &sshd).args(["-H", "web1", "nap", &nap]).code(code).spawn();
        running.wait_for_stdout("[web1] napping\n", LIMIT);
        send(&running);
        running.wait();
        gone(&nap);
    };
    case(128 + 15, Running::terminate);
    case(128 + 1, Running::hang_up);
}

#[test]
fn a_login_that_is_not_answered_is_given_up() {
    let silent = Proxy::silent();
    let running = shop().args(["-H", &silent.addr().to_string(), "hello"]).code(130).spawn();
    wait_until("fab connects", LIMIT, || silent.accepted() == 1);
    running.interrupt();
    let ran = running.wait();
    assert!(ran.stderr.ends_with(&format!("hello: 1 cancelled ({})\n", silent.addr())), "{}", ran.stderr);
}
