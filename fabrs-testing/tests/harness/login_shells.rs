//! Tests of login shells: the accounts of one server change, and the machine's accounts do not.

use std::fs;
use std::process::{Command, Stdio};

use fabrs_testing::{Account, Capability, Dropbear, Process, Sshd, marker, processes_marked_with, wait_until};

use crate::{LIMIT, output};

/// Returns the entry of root in the machine's `/etc/passwd`.
fn passwd_entry_of_root() -> String {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
    passwd.lines().find(|line| line.starts_with("root:")).expect("root is an account").to_owned()
}

#[test]
fn openssh_accounts_have_the_login_shell_and_an_empty_home() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let before = passwd_entry_of_root();
    for account in [Account::Root, Account::Plain] {
        let sshd = Sshd::builder().users([account]).login_shell("/bin/dash").start();
        let (code, stdout, stderr) = output(sshd.ssh().args(["host", "echo $0 $SHELL $(ls | wc -l); id -un"]));
        let expected = format!("dash /bin/dash 0\n{}\n", account.name());
        assert_eq!((code, stdout, stderr.as_str()), (Some(0), expected, ""));
    }
    assert_eq!(passwd_entry_of_root(), before);
}

#[test]
fn dropbear_accounts_have_the_login_shell_and_orphans_are_found() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let mark = marker();
    for account in [Account::Root, Account::Plain] {
        let server = Dropbear::builder().user(account).login_shell("/bin/dash").start();
        let config = server.scratch().join("ssh_config");
        fs::write(&config, server.ssh_config()).expect("a writable directory");
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(["-o", "BatchMode=yes", "host"]).stdin(Stdio::null());
        let line = format!("echo $0 $SHELL; id -un; MARK={mark} sleep 7005 </dev/null >/dev/null 2>&1 &");
        let (code, stdout, stderr) = output(ssh.arg(line));
        assert_eq!((code, stdout, stderr.as_str()), (Some(0), format!("dash /bin/dash\n{}\n", account.name()), ""));
        wait_until("the orphan carries the mark", LIMIT, || processes_marked_with(&mark).len() == 1);
        // The test compares PIDs, because the command line of the shell's child may not be `sleep`
        // yet.
        let ids = |found: Vec<Process>| found.into_iter().map(|process| process.pid).collect::<Vec<_>>();
        assert_eq!(ids(server.session_processes()), ids(processes_marked_with(&mark)));
        drop(server);
        assert!(processes_marked_with(&mark).is_empty(), "the orphan ends with its server");
    }
}

#[test]
fn the_login_shell_survives_changes_of_the_machines_accounts() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let sshd = Sshd::builder().login_shell("/bin/dash").start();
    // Like `useradd`, `usermod` replaces /etc/passwd by a rename.
    let changed = Command::new("usermod").args(["--comment", &marker(), sshd.user()]).status();
    assert!(changed.expect("`usermod` comes with `useradd`").success());
    let (code, stdout, _) = output(sshd.ssh().args(["host", "echo $0"]));
    assert_eq!((code, stdout.as_str()), (Some(0), "dash\n"));
}
