//! One shell line on one host: output, exit status and stdin are passed through.

use std::fs;

use fabrs_testing::{Capability, Process, Sshd, marker, processes_matching};

use crate::fixtures::{fab, shell, with_ssh_config};

#[test]
fn stdout_and_stderr_pass_through_unchanged() {
    let sshd = Sshd::start();
    let line = "printf out; printf err >&2; printf 'more\\n'";
    fab().on(&sshd).args(["--", line]).stdout("outmore\n").stderr("err").run();
}

#[test]
fn binary_output_passes_through_unchanged() {
    let sshd = Sshd::start();
    let ran = shell(r#""$FAB" -S "$CONFIG" -H host -- "$PROBE" bytes 300000 > got; "$PROBE" bytes 300000 > sent"#)
        .env("CONFIG", sshd.ssh_config())
        .env("PROBE", sshd.probe())
        .stderr("")
        .run();
    let read = |name: &str| fs::read(ran.dir.join(name)).expect("the script wrote the file");
    assert!(read("got") == read("sent"), "the bytes differ");
}

#[test]
fn the_exit_code_is_the_exit_status_without_a_message() {
    let sshd = Sshd::start();
    for code in [0, 1, 2, 3, 4, 5, 70, 127, 255] {
        fab().on(&sshd).args(["--", &format!("exit {code}")]).code(code).stdout("").stderr("").run();
    }
}

#[test]
fn a_signal_is_exit_code_128_plus_its_number() {
    let sshd = Sshd::start();
    fab().on(&sshd).args(["--", "kill -TERM $$"]).code(128 + 15).stderr("").run();
    fab().on(&sshd).args(["--", "kill -KILL $$"]).code(128 + 9).stderr("").run();
}

#[test]
fn arguments_are_joined_by_spaces_as_in_ssh() {
    let sshd = Sshd::start();
    fab().on(&sshd).args(["--", "echo", "a;", "echo", "$((1 + 1))"]).stdout("a\n2\n").run();
    fab().on(&sshd).args(["--", "echo", "--", "-n"]).stdout("-- -n\n").run();
    fab().on(&sshd).args(["--", "printf '%s|' \"x  y\" \"$HOME\" | wc -l"]).stdout("0\n").run();
}

#[test]
fn an_empty_shell_line_is_an_error() {
    let sshd = Sshd::start();
    let block = "error: missing shell line after `--`\nhint: add a shell line: `fab -H HOST -- uname -a`\n";
    fab().on(&sshd).args(["--"]).code(2).stdout("").stderr(block).run();
    fab().on(&sshd).args(["--", " "]).code(2).stderr(block).run();
    assert!(!sshd.log().contains("Accepted"), "{}", sshd.log());
}

#[test]
fn local_runs_the_shell_line_on_this_machine() {
    let line = "echo \"$0\"; cat; exit 6";
    fab().args(["-H", "@local", "--", line]).stdin("not for the line").code(6).stdout("sh\n").stderr("").run();
}

#[test]
fn the_stdin_of_a_shell_line_is_empty() {
    let sshd = Sshd::start();
    fab().on(&sshd).args(["--", "wc -c"]).stdin("input without a reader").stdout("0\n").run();
    fab().on(&sshd).args(["--", "wc -c"]).open_stdin().stdout("0\n").run();
}

#[test]
fn characters_split_across_packets_stay_whole() {
    let sshd = Sshd::start();
    let probe = sshd.probe();
    let text = "€".repeat(300);
    let line = format!("{} chunks {text}", probe.display());
    fab().on(&sshd).args(["--", &line]).stdout(text.clone()).run();
    let prefixed = format!("[host] {text}\n[local] {text}\n");
    let ran = with_ssh_config(fab(), &sshd).args(["-H", "host,@local", "--serial", "--", &line]).stdout(prefixed).run();
    assert!(ran.stderr.ends_with(": 2 ok\n") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn a_command_timeout_ends_the_shell_line() {
    // For root, sshd accepts no signal requests.
    let sshd = Sshd::start();
    if !Capability::Accounts.is_available() {
        return;
    }
    let nap = marker();
    let line = format!("echo begun; sleep {nap} | cat");
    fab()
        .on(&sshd)
        .args(["-T", "1", "--", &line])
        .code(1)
        .stdout("begun\n")
        .stderr(format!("error: host: `{line}` ran longer than 1 second and was ended\n"))
        .run();
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
}
