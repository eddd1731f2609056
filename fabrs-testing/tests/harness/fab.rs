//! Tests of the `fab` runner, with a shell and the probe in place of `fab`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fabrs_testing::{Fab, Sshd, marker, probe, processes_matching, wait_until};

use crate::LIMIT;

fn shell(line: &str) -> Fab {
    Fab::new("/bin/sh").args(["-c", line]).limit(LIMIT)
}

fn report(fab: Fab) -> serde_json::Value {
    probe::parse(fab.run().stdout)
}

#[test]
fn code_and_streams_are_compared() {
    let output = shell("echo out; echo err >&2; exit 3").code(3).stdout("out\n").stderr("err\n").run();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "out\n", "err\n"));
}

#[test]
fn a_panic_shows_every_difference() {
    let run = || shell("echo out; echo err >&2; exit 3").stdout("other").stderr_contains("missing").run();
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("three differences");
    let message = panic.downcast_ref::<String>().expect("a panic message");
    for part in
        ["exit code: 3 instead of 0", "stdout differs from: \"other\"", "stderr lacks: \"missing\"", "out\n", "err\n"]
    {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_project_is_the_working_directory() {
    let fab = shell("cat tasks.rs conf/app.toml").project(&[("tasks.rs", "//! tasks\n"), ("conf/app.toml", "a = 1\n")]);
    let output = fab.stdout("//! tasks\na = 1\n").run();
    assert!(output.dir.join("tasks.rs").exists(), "the project lives as long as the result");
    shell("ls").project(&[("sub/file", "")]).current_dir("sub").stdout("file\n").run();
}

#[test]
fn the_environment_is_clean_and_the_home_is_empty() {
    let env = report(Fab::new(probe::path()).arg("report").env("EXTRA", "1").env_remove("LANG"))["env"].clone();
    assert_eq!(env["EXTRA"], "1");
    for name in ["TERM", "LANG", "CARGO_MANIFEST_DIR", "RUST_BACKTRACE", "SSH_AUTH_SOCK"] {
        assert!(env[name].is_null(), "{name} leaks: {}", env[name]);
    }
    shell("ls -A $HOME").stdout("").run();
}

#[test]
fn cargo_works_with_a_temporary_home() {
    shell("cargo --version").stdout_contains("cargo 1.").run();
}

#[test]
fn on_adds_the_config_and_alias_of_a_server() {
    let sshd = Sshd::builder().aliases(["web1"]).start();
    let expected = format!("-S {} -H web1 deploy\n", sshd.ssh_config().display());
    Fab::new("/bin/echo").on(&sshd).arg("deploy").stdout(expected).run();
}

#[test]
fn stdin_is_empty_by_default() {
    shell("wc -c").stdout("0\n").run();
    shell("cat").stdin("some\0bytes").stdout("some\0bytes").run();
    let script = "if [ -e /proc/self/fd/0 ]; then echo open; else echo closed; fi";
    shell(script).stdout("open\n").run();
    shell(script).closed_stdin().stdout("closed\n").run();
}

#[test]
fn an_open_stdin_never_ends_and_does_not_block_the_exit() {
    let running = shell("echo ready; read line; echo over").open_stdin().spawn();
    running.wait_for_stdout("ready", LIMIT);
    assert!(!running.stdout().contains("over"));
    drop(running);
    shell("true").open_stdin().run();
}

#[test]
fn ctrl_c_reaches_the_whole_process_group() {
    let mark = marker();
    let running = shell(&format!("echo ready; sleep {mark} | cat")).code(130).spawn();
    running.wait_for_stdout("ready", LIMIT);
    wait_until("the command sleeps", LIMIT, || {
        processes_matching(&mark).iter().any(|p| p.cmdline.starts_with("sleep"))
    });
    running.interrupt();
    running.wait();
    assert_eq!(processes_matching(&mark), []);
}

#[test]
fn a_new_session_has_no_terminal() {
    let report = report(Fab::new(probe::path()).arg("report").own_session());
    assert_eq!(report["sid"], report["pid"]);
    shell(": < /dev/tty").own_session().code(2).stderr_contains("/dev/tty").run();
}

#[test]
fn a_dropped_run_is_killed_with_its_process_group() {
    let mark = marker();
    let running = shell(&format!("sleep {mark}; true")).spawn();
    wait_until("the command sleeps", LIMIT, || {
        processes_matching(&mark).iter().any(|p| p.cmdline.starts_with("sleep"))
    });
    drop(running);
    wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
}

#[test]
#[should_panic(expected = "still runs after 50ms")]
fn a_run_is_killed_at_its_time_limit() {
    shell("sleep 7000").limit(Duration::from_millis(50)).run();
}

#[test]
fn a_run_can_start_on_a_terminal() {
    let mut pty = Fab::new("/bin/sh").args(["-c", "test -t 0 && echo $TERM && pwd"]).spawn_on_terminal();
    pty.expect("xterm", LIMIT);
    pty.expect("/project", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
}
