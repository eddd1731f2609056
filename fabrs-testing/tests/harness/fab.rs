//! The runner of `fab`, shown with a shell and the probe in its place.

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
    let ran = shell("echo out; echo err >&2; exit 3").code(3).stdout("out\n").stderr("err\n").run();
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (3, "out\n", "err\n"));
}

#[test]
fn every_difference_is_shown_before_the_panic() {
    let run = || shell("echo out; echo err >&2; exit 3").stdout("other").stderr_contains("missing").run();
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it differs in three ways");
    let words = panic.downcast_ref::<String>().expect("a panic with words");
    for part in ["exit code: 3 instead of 0", "stdout is not: \"other\"", "stderr lacks: \"missing\"", "out\n", "err\n"]
    {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn the_project_is_the_working_directory() {
    let fab = shell("cat tasks.rs conf/app.toml").project(&[("tasks.rs", "//! tasks\n"), ("conf/app.toml", "a = 1\n")]);
    let ran = fab.stdout("//! tasks\na = 1\n").run();
    assert!(ran.dir.join("tasks.rs").exists(), "the project lives as long as the result");
    shell("ls").project(&[("sub/file", "")]).current_dir("sub").stdout("file\n").run();
}

#[test]
fn the_environment_is_clean_and_the_home_empty() {
    let env = report(Fab::new(probe::path()).arg("report").env("EXTRA", "1").env_remove("LANG"))["env"].clone();
    assert_eq!(env["EXTRA"], "1");
    for name in ["TERM", "LANG", "CARGO_MANIFEST_DIR", "RUST_BACKTRACE", "SSH_AUTH_SOCK"] {
        assert!(env[name].is_null(), "{name} leaks: {}", env[name]);
    }
    shell("ls -A $HOME").stdout("").run();
}

#[test]
fn cargo_works_with_the_other_home() {
    shell("cargo --version").stdout_contains("cargo 1.").run();
}

#[test]
fn a_server_is_named_by_its_config_and_alias() {
    let sshd = Sshd::builder().aliases(["web1"]).start();
    let expected = format!("-S {} -H web1 deploy\n", sshd.ssh_config().display());
    Fab::new("/bin/echo").on(&sshd).arg("deploy").stdout(expected).run();
}

#[test]
fn stdin_is_empty_unless_given() {
    shell("wc -c").stdout("0\n").run();
    shell("cat").stdin("some\0bytes").stdout("some\0bytes").run();
    let look = "if [ -e /proc/self/fd/0 ]; then echo open; else echo closed; fi";
    shell(look).stdout("open\n").run();
    shell(look).closed_stdin().stdout("closed\n").run();
}

#[test]
fn an_open_stdin_gives_no_end_and_holds_up_nobody() {
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
    wait_until("it sleeps", LIMIT, || processes_matching(&mark).iter().any(|p| p.cmdline.starts_with("sleep")));
    running.interrupt();
    running.wait();
    assert_eq!(processes_matching(&mark), []);
}

#[test]
fn its_own_session_has_no_terminal() {
    let report = report(Fab::new(probe::path()).arg("report").own_session());
    assert_eq!(report["sid"], report["pid"]);
    shell(": < /dev/tty").own_session().code(2).stderr_contains("/dev/tty").run();
}

#[test]
fn a_dropped_run_is_ended_with_its_group() {
    let mark = marker();
    let running = shell(&format!("sleep {mark}; true")).spawn();
    wait_until("it sleeps", LIMIT, || processes_matching(&mark).iter().any(|p| p.cmdline.starts_with("sleep")));
    drop(running);
    wait_until("nothing is left", LIMIT, || processes_matching(&mark).is_empty());
}

#[test]
#[should_panic(expected = "still runs after 50ms")]
fn a_run_that_hangs_is_ended_at_its_limit() {
    shell("sleep 7000").limit(Duration::from_millis(50)).run();
}

#[test]
fn a_terminal_can_be_had() {
    let mut pty = Fab::new("/bin/sh").args(["-c", "test -t 0 && echo $TERM && pwd"]).spawn_on_terminal();
    pty.expect("xterm", LIMIT);
    pty.expect("/project", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
}
