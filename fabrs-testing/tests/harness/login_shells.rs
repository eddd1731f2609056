//! A server may give its accounts another login shell; the machine's own accounts stay as they are.

use std::fs;
use std::process::{Command, Stdio};

use fabrs_testing::{Account, Capability, Dropbear, Process, Sshd, marker, processes_carrying, wait_until};

use crate::{LIMIT, output};

/// The accounts of the machine that matter here.
fn machine_s_root() -> String {
    let passwd = fs::read_to_string("/etc/passwd").expect("every Linux has it");
    passwd.lines().find(|line| line.starts_with("root:")).expect("root is an account").to_owned()
}

#[test]
fn openssh_gives_its_accounts_the_shell_and_an_empty_home() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let before = machine_s_root();
    for account in [Account::Root, Account::Plain] {
        let sshd = Sshd::builder().users([account]).login_shell("/bin/dash").start();
        let (code, stdout, stderr) = output(sshd.ssh().args(["host", "echo $0 $SHELL $(ls | wc -l); id -un"]));
        let expected = format!("dash /bin/dash 0\n{}\n", account.name());
        assert_eq!((code, stdout, stderr.as_str()), (Some(0), expected, ""));
    }
    assert_eq!(machine_s_root(), before);
}

#[test]
fn dropbear_gives_its_account_the_shell_and_its_orphans_are_found() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let mark = marker();
    for account in [Account::Root, Account::Plain] {
        let server = Dropbear::builder().user(account).login_shell("/bin/dash").start();
        let config = server.scratch().join("ssh_config");
        fs::write(&config, server.ssh_config()).expect("the directory is ours");
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(["-o", "BatchMode=yes", "host"]).stdin(Stdio::null());
        let line = format!("echo $0 $SHELL; id -un; MARK={mark} sleep 7005 </dev/null >/dev/null 2>&1 &");
        let (code, stdout, stderr) = output(ssh.arg(line));
        assert_eq!((code, stdout, stderr.as_str()), (Some(0), format!("dash /bin/dash\n{}\n", account.name()), ""));
        wait_until("the orphan carries the mark", LIMIT, || processes_carrying(&mark).len() == 1);
        // Not by their command lines: the shell's child may not be `sleep` yet.
        let ids = |found: Vec<Process>| found.into_iter().map(|process| process.pid).collect::<Vec<_>>();
        assert_eq!(ids(server.session_processes()), ids(processes_carrying(&mark)));
        drop(server);
        assert!(processes_carrying(&mark).is_empty(), "it ends with its server");
    }
}

#[test]
fn the_shell_stays_when_an_account_of_the_machine_changes() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let sshd = Sshd::builder().login_shell("/bin/dash").start();
    // As `useradd` and all of its kind, it replaces /etc/passwd by a rename.
    let changed = Command::new("usermod").args(["--comment", &marker(), sshd.user()]).status();
    assert!(changed.expect("`usermod` comes with `useradd`").success());
    let (code, stdout, _) = output(sshd.ssh().args(["host", "echo $0"]));
    assert_eq!((code, stdout.as_str()), (Some(0), "dash\n"));
}
