//! Shutdown: a demo ends with its program and leaves no process or file.

use std::fs;
use std::time::Duration;

use fabrs_testing::{Process, marker, processes_matching, wait_until};

use crate::fixtures::{demo, demo_program, run, start_program};

const LIMIT: Duration = Duration::from_secs(30);

/// Returns a command line for two daemons outliving the login, one of them owned by root.
fn two_daemons(seconds: &str) -> String {
    format!("sudo setsid -f sleep {seconds} > /dev/null 2>&1 < /dev/null; setsid -f sleep {seconds} > /dev/null 2>&1")
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("the file exists")
}

#[test]
fn a_killed_program_leaves_no_process_mount_or_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let before = mounts();
    let mut command = demo_program();
    command.env("TMPDIR", dir.path());
    let mut program = start_program(command);
    let seconds = marker();
    program.stdout_of(&two_daemons(&seconds));
    let helpers: Vec<Process> = descendants(i32::try_from(program.child.id()).expect("a PID fits in i32"));
    assert!(processes_matching(&seconds).len() >= 2 && helpers.len() >= 3, "{helpers:?}");

    program.child.kill().expect("the process runs");
    program.child.wait().expect("the test started the process");
    wait_until("all processes have ended", LIMIT, || {
        processes_matching(&seconds).is_empty() && !helpers.iter().any(Process::is_alive)
    });
    assert_eq!(mounts(), before);
    assert_eq!(fs::read_dir(dir.path()).expect("the test owns the file").count(), 0);
    assert!(!program.config.exists());
}

#[test]
fn a_dropped_demo_leaves_no_process() {
    let demo = demo(&["demo1", "demo2"]);
    let seconds = marker();
    for host in ["demo1", "demo2"] {
        assert!(run(&demo, host, &two_daemons(&seconds)).status.success());
    }
    assert!(processes_matching(&seconds).len() >= 4);
    drop(demo);
    assert_eq!(processes_matching(&seconds), Vec::<Process>::new());
}

#[test]
fn a_killed_helper_ends_the_host() {
    let program = start_program(demo_program());
    let seconds = marker();
    program.stdout_of(&two_daemons(&seconds));
    let contain = descendants(i32::try_from(program.child.id()).expect("a PID fits in i32"));
    contain.iter().find(|helper| helper.cmdline.contains("contain")).expect("the process runs").kill();
    wait_until("all processes have ended", LIMIT, || processes_matching(&seconds).is_empty());
}

#[test]
fn a_host_cannot_end_another_host() {
    let demo = demo(&["demo1", "demo2"]);
    run(&demo, "demo1", "sudo kill -9 -1");
    assert!(run(&demo, "demo2", "true").status.success());
    assert_eq!(run(&demo, "demo1", "true").status.code(), Some(255));
}

/// Returns all descendants of a process.
fn descendants(pid: i32) -> Vec<Process> {
    let all = Process::all();
    let mut pids = vec![pid];
    let mut at = 0;
    while let Some(parent) = pids.get(at).copied() {
        pids.extend(all.iter().filter(|process| process.ppid == parent).map(|process| process.pid));
        at += 1;
    }
    all.into_iter().filter(|process| process.pid != pid && pids.contains(&process.pid)).collect()
}
