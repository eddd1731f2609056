//! A demo ends with its program, however that ends, and leaves nothing.

use std::fs;
use std::time::Duration;

use fabrs_testing::{Process, marker, processes_matching, wait_until};

use crate::fixtures::{demo, demo_program, run, start_program};

const LIMIT: Duration = Duration::from_secs(30);

/// Starts something on a host that outlives its login, and is a daemon of root's.
fn daemon(nap: &str) -> String {
    format!("sudo setsid -f sleep {nap} > /dev/null 2>&1 < /dev/null; setsid -f sleep {nap} > /dev/null 2>&1")
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("it is there")
}

#[test]
fn a_program_that_is_killed_leaves_no_process_no_mount_and_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let before = mounts();
    let mut command = demo_program();
    command.env("TMPDIR", folder.path());
    let mut program = start_program(command);
    let nap = marker();
    program.stdout_of(&daemon(&nap));
    let parts: Vec<Process> = children(i32::try_from(program.child.id()).expect("it is small"));
    assert!(processes_matching(&nap).len() >= 2 && parts.len() >= 3, "{parts:?}");

    program.child.kill().expect("it runs");
    program.child.wait().expect("it was ours");
    wait_until("all has gone", LIMIT, || processes_matching(&nap).is_empty() && !parts.iter().any(Process::is_alive));
    assert_eq!(mounts(), before);
    assert_eq!(fs::read_dir(folder.path()).expect("it is ours").count(), 0);
    assert!(!program.config.exists());
}

#[test]
fn when_a_demo_is_dropped_all_of_it_has_gone() {
    let demo = demo(&["demo1", "demo2"]);
    let nap = marker();
    for host in ["demo1", "demo2"] {
        assert!(run(&demo, host, &daemon(&nap)).status.success());
    }
    assert!(processes_matching(&nap).len() >= 4);
    drop(demo);
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
}

#[test]
fn a_part_that_is_killed_takes_the_host_with_it() {
    let program = start_program(demo_program());
    let nap = marker();
    program.stdout_of(&daemon(&nap));
    let contain = children(i32::try_from(program.child.id()).expect("it is small"));
    contain.iter().find(|part| part.cmdline.contains("contain")).expect("it runs").kill();
    wait_until("all has gone", LIMIT, || processes_matching(&nap).is_empty());
}

#[test]
fn a_host_can_end_itself_and_nothing_else() {
    let demo = demo(&["demo1", "demo2"]);
    run(&demo, "demo1", "sudo kill -9 -1");
    assert!(run(&demo, "demo2", "true").status.success());
    assert_eq!(run(&demo, "demo1", "true").status.code(), Some(255));
}

/// Returns what a process start_program, and what that started.
fn children(pid: i32) -> Vec<Process> {
    let all = Process::all();
    let mut pids = vec![pid];
    let mut at = 0;
    while let Some(parent) = pids.get(at).copied() {
        pids.extend(all.iter().filter(|process| process.ppid == parent).map(|process| process.pid));
        at += 1;
    }
    all.into_iter().filter(|process| process.pid != pid && pids.contains(&process.pid)).collect()
}
