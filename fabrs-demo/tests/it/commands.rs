//! Commands on a demo host: streams, exit statuses, signals, stdin, terminals.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use fabrs_core::{ErrorKind, ExitStatus, ShellLine, Signal};
use fabrs_testing::{Process, marker, processes_matching, wait_until};

use crate::fixtures::{connection, demo, run, ssh, stdout_of, text};

#[test]
fn stdout_stderr_and_exit_status_are_separate() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "printf out; printf err >&2; exit 7");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out".to_owned(), "err".to_owned()));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn stdin_is_sent_completely_and_ends() {
    let demo = demo(&["demo"]);
    let mut child = ssh(demo.ssh_config(), "demo")
        .arg("wc -c; echo done")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`ssh` is installed");
    child.stdin.take().expect("a pipe").write_all(&vec![b'x'; 3_000_000]).expect("the command reads stdin");
    let output = child.wait_with_output().expect("the process ends");
    assert_eq!(text(&output.stdout), "3000000\ndone\n");
}

#[test]
fn a_command_without_stdin_reads_eof() {
    let demo = demo(&["demo"]);
    assert_eq!(stdout_of(&demo, "demo", "wc -c"), "0\n");
}

#[test]
fn large_output_is_complete() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "head -c 20000000 /dev/zero | tr '\\0' x");
    assert_eq!(output.stdout.len(), 20_000_000);
    assert!(output.stdout.iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn the_signal_of_a_killed_command_is_reported() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    for name in ["TERM", "KILL", "INT", "SEGV"] {
        let output = host.run(ShellLine::raw(format!("kill -{name} $$"))).warn().await.expect("the command ran");
        assert_eq!(*output.status().expect("the command ran"), ExitStatus::Signal(Signal::new(name)));
    }
    client.close().await;
}

#[tokio::test]
async fn a_timeout_kills_the_process_group() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let seconds = marker();
    // The shell ignores SIGTERM, so the timeout must end in SIGKILL.
    let line = ShellLine::raw(format!("trap '' TERM; sleep {seconds} | cat"));
    let error = host.run(&line).timeout(Duration::from_millis(300)).await.expect_err("the timeout ends the command");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(processes_matching(&seconds), Vec::<Process>::new());
    client.close().await;
}

#[tokio::test]
async fn a_timeout_kills_commands_under_sudo() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let seconds = marker();
    let line = ShellLine::raw(format!("sudo sh -c 'sleep {seconds}; true'"));
    let error = host.run(&line).timeout(Duration::from_millis(300)).await.expect_err("the timeout ends the command");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(processes_matching(&seconds), Vec::<Process>::new());
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_command_is_killed() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let seconds = marker();
    let line = ShellLine::raw(format!("sleep {seconds}"));
    let running = host.run(&line).spawn();
    wait_until("the command runs", Duration::from_secs(30), || !sleep_processes(&seconds).is_empty());
    drop(running);
    client.close().await;
    assert_eq!(sleep_processes(&seconds), Vec::<Process>::new());
}

fn sleep_processes(seconds: &str) -> Vec<Process> {
    processes_matching(&format!("sleep {seconds}"))
}

#[test]
fn a_terminal_has_the_size_of_the_client() {
    let demo = demo(&["demo"]);
    let line = "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo yes; echo x > /dev/tty; ps -o tty= $$";
    let output = ssh(demo.ssh_config(), "demo").arg("-tt").arg(line).output().expect("`ssh` is installed");
    assert_eq!(text(&output.stdout), "/dev/pts/0\r\n0 0\r\nyes\r\nx\r\npts/0\r\n");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_command_without_a_terminal_cannot_open_dev_tty() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "tty; echo x > /dev/tty");
    assert_eq!(text(&output.stdout), "not a tty\n");
    assert!(text(&output.stderr).contains("/dev/tty"), "{output:?}");
}

#[test]
fn background_processes_on_a_terminal_do_not_delay_the_client() {
    let demo = demo(&["demo"]);
    let seconds = marker();
    let line = format!("trap '' HUP; sleep {seconds} & echo begun; exit 4");
    let output = ssh(demo.ssh_config(), "demo").arg("-tt").arg(line).output().expect("`ssh` is installed");
    assert_eq!((text(&output.stdout), output.status.code()), ("begun\r\n".to_owned(), Some(4)));
}

#[test]
fn a_command_leads_its_own_session() {
    let demo = demo(&["demo"]);
    let ids = stdout_of(&demo, "demo", "ps -o pid=,pgid=,sid= $$");
    let ids: Vec<&str> = ids.split_whitespace().collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn orphans_are_reaped() {
    let demo = demo(&["demo"]);
    stdout_of(
        &demo,
        "demo",
        "for i in 1 2 3; do (true &); done; timeout 20 sh -c 'while ps -e -o stat= | grep -q Z; do :; done'",
    );
}

#[tokio::test]
async fn commands_above_max_sessions_wait_and_run() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let all = (0..25).map(|n| host.run(ShellLine::raw(format!("echo {n}"))));
    let outputs = futures::future::try_join_all(all).await.expect("all ran");
    let lines: Vec<String> = outputs.iter().map(|output| output.line().expect("one line")).collect();
    assert_eq!(lines, (0..25).map(|n| n.to_string()).collect::<Vec<_>>());
    client.close().await;
}
