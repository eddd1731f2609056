//! Hosts behind a `ProxyCommand`: the command runs, and ends with the run.

use std::fs;
use std::path::PathBuf;

use fabrs_testing::{Fab, Process, Sshd, marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, fab};

/// Returns a run on a host behind this command.
fn through_command(sshd: &Sshd, command: &str) -> Fab {
    let path: PathBuf = sshd.dir().join("by_command");
    let harness = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the file");
    let text = format!("Host host\n    ProxyCommand {command}\n{harness}");
    fs::write(&path, text).expect("the test owns the directory");
    fab().arg("-S").arg(path).args(["-H", "host"])
}

#[test]
fn a_shell_line_runs_through_a_proxy_command_with_its_own_stdout() {
    let sshd = Sshd::start();
    let relay =
        "bash -c 'exec 3<>/dev/tcp/%h/%p; echo \"pw ${FABRS_SUDO_PASSWORD-unset}\" >&2; cat <&3 & exec cat >&3'";
    let fab = through_command(&sshd, relay).env("FABRS_SUDO_PASSWORD", "secret").args(["--", "echo x; exit 7"]);
    fab.code(7).stdout("x\n").stderr("warning: host: ProxyCommand: pw unset\n").run();
}

#[test]
fn a_failed_proxy_command_is_exit_code_4_with_its_status() {
    let sshd = Sshd::start();
    let block = "error: host: could not connect by its ProxyCommand\n  caused by: `false` ended with exit status 1\n";
    through_command(&sshd, "false").args(["--", "echo x"]).code(4).stdout("").stderr(block).run();
}

/// As in `ssh`.
#[test]
fn the_proxy_command_runs_in_the_users_shell() {
    let sshd = Sshd::start();
    let run = || {
        through_command(&sshd, "sh -c 'echo \"shell: $0\" >&2; exit 1' \"${BASH-none}\"").args(["--", "true"]).code(4)
    };
    run().env("SHELL", "/bin/bash").stderr_contains("exit status 1: shell: /bin/bash\n").run();
    run().env("SHELL", "/bin/dash").stderr_contains("exit status 1: shell: none\n").run();
    run().env_remove("SHELL").stderr_contains("ended with exit status 1: shell: ").run();
}

#[test]
fn an_interrupt_ends_a_hung_proxy_command_and_its_children() {
    let sshd = Sshd::start();
    let nap = marker();
    let running = through_command(&sshd, &format!("sh -c 'sleep {nap} & wait'"))
        .args(["--", "echo x"])
        .code(130)
        .limit(LIMIT)
        .spawn();
    let sleeps = || processes_matching(&nap).iter().any(|process| process.cmdline.starts_with("sleep"));
    wait_until("the proxy command hangs", LIMIT, sleeps);
    running.interrupt();
    running.wait();
    wait_until("all processes have ended", LIMIT, || processes_matching(&nap) == Vec::<Process>::new());
}
