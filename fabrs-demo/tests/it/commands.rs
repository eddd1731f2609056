//! Commands on a demo host: streams, statuses, signals, input, terminals.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use fabrs_core::{ErrorKind, ExitStatus, ShellLine, Signal};
use fabrs_testing::{Process, marker, processes_matching, wait_until};

use crate::fixtures::{connection, demo, run, ssh, stdout_of, text};

#[test]
fn each_stream_is_its_own_and_the_status_is_that_of_the_line() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "printf out; printf err >&2; exit 7");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out".to_owned(), "err".to_owned()));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn input_arrives_and_ends() {
    let demo = demo(&["demo"]);
    let mut child = ssh(demo.ssh_config(), "demo")
        .arg("wc -c; echo done")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`ssh` is installed");
    child.stdin.take().expect("it is a pipe").write_all(&vec![b'x'; 3_000_000]).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(text(&output.stdout), "3000000\ndone\n");
}

#[test]
fn a_line_reads_an_empty_input_at_once_where_none_was_given() {
    let demo = demo(&["demo"]);
    assert_eq!(stdout_of(&demo, "demo", "wc -c"), "0\n");
}

#[test]
fn much_output_arrives_whole() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "head -c 20000000 /dev/zero | tr '\\0' x");
    assert_eq!(output.stdout.len(), 20_000_000);
    assert!(output.stdout.iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn a_signal_that_ended_a_command_is_told() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    for name in ["TERM", "KILL", "INT", "SEGV"] {
        let output = host.run(ShellLine::raw(format!("kill -{name} $$"))).warn().await.expect("it ran");
        assert_eq!(*output.status().expect("it ran"), ExitStatus::Signal(Signal::new(name)));
    }
    client.close().await;
}

#[tokio::test]
async fn a_command_that_runs_too_long_is_ended_with_all_that_it_started() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let nap = marker();
    // One that ignores what it is asked first.
    let line = ShellLine::raw(format!("trap '' TERM; sleep {nap} | cat"));
    let error = host.run(&line).timeout(Duration::from_millis(300)).await.expect_err("it takes too long");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
    client.close().await;
}

#[tokio::test]
async fn a_command_of_root_under_sudo_is_ended_too() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let nap = marker();
    let line = ShellLine::raw(format!("sudo sh -c 'sleep {nap}; true'"));
    let error = host.run(&line).timeout(Duration::from_millis(300)).await.expect_err("it takes too long");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_dropped_is_ended() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let nap = marker();
    let line = ShellLine::raw(format!("sleep {nap}"));
    let running = host.run(&line).spawn();
    wait_until("it runs", Duration::from_secs(30), || !sleeping(&nap).is_empty());
    drop(running);
    client.close().await;
    assert_eq!(sleeping(&nap), Vec::<Process>::new());
}

fn sleeping(nap: &str) -> Vec<Process> {
    processes_matching(&format!("sleep {nap}"))
}

#[test]
fn a_terminal_is_one_and_its_size_is_that_of_the_client() {
    let demo = demo(&["demo"]);
    let line = "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo yes; echo x > /dev/tty; ps -o tty= $$";
    let output = ssh(demo.ssh_config(), "demo").arg("-tt").arg(line).output().expect("`ssh` is installed");
    assert_eq!(text(&output.stdout), "/dev/pts/0\r\n0 0\r\nyes\r\nx\r\npts/0\r\n");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn without_a_terminal_there_is_none_not_even_that_of_the_machine() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "tty; echo x > /dev/tty");
    assert_eq!(text(&output.stdout), "not a tty\n");
    assert!(text(&output.stderr).contains("/dev/tty"), "{output:?}");
}

#[test]
fn what_is_left_in_the_background_on_a_terminal_does_not_keep_the_client() {
    let demo = demo(&["demo"]);
    let nap = marker();
    let line = format!("trap '' HUP; sleep {nap} & echo begun; exit 4");
    let output = ssh(demo.ssh_config(), "demo").arg("-tt").arg(line).output().expect("`ssh` is installed");
    assert_eq!((text(&output.stdout), output.status.code()), ("begun\r\n".to_owned(), Some(4)));
}

#[test]
fn a_command_leads_a_session_of_its_own() {
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
async fn of_more_commands_than_a_connection_takes_some_wait_and_all_run() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let all = (0..25).map(|n| host.run(ShellLine::raw(format!("echo {n}"))));
    let outputs = futures::future::try_join_all(all).await.expect("all ran");
    let lines: Vec<String> = outputs.iter().map(|output| output.line().expect("it is one")).collect();
    assert_eq!(lines, (0..25).map(|n| n.to_string()).collect::<Vec<_>>());
    client.close().await;
}
